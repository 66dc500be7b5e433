# Tests of tests/lint.
