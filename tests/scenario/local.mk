# The named scenarios of recovery and of starts.
SCENARIO_TESTS = tests/scenario/s7_start.py
TESTS += $(SCENARIO_TESTS)
EXTRA_DIST += $(SCENARIO_TESTS)
