# Tests of tests/e2e.
