# The scenarios of SPEC sections 5 to 7, end to end; a stage of CI runs them.
SCENARIOS = tests/scenario/r1_recovery.py tests/scenario/s1_listing.py tests/scenario/s2_reset.py \
	tests/scenario/s3_moves.py tests/scenario/s4_copies.py \
	tests/scenario/s6_flags.py tests/scenario/s6_full.py
EXTRA_DIST += $(SCENARIOS) tests/scenario/agree.py tests/scenario/run
# The named scenarios of recovery and of starts.
SCENARIO_TESTS = tests/scenario/s7_start.py
TESTS += $(SCENARIO_TESTS)
EXTRA_DIST += $(SCENARIO_TESTS)
