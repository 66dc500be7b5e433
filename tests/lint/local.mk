# Tests of tests/lint: what can be seen by reading.
LINT_TESTS = tests/lint/layers.sh tests/lint/sizes.sh tests/lint/globals.sh \
	tests/lint/banned.py tests/lint/tidy.sh tests/lint/selftest.sh
TESTS += $(LINT_TESTS)
EXTRA_DIST += $(LINT_TESTS) src/README.md
