# Tests of tests/interop.
