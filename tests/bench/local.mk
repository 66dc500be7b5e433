# Tests of tests/bench.
