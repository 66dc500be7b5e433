# Tests of tests/crash.
