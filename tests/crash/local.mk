# Stops at every commit, write, flush, rename, request and system call; three
# of them here, CI runs a share of each series (tests/ci/stages.sh), `run
# --full` all.
if FAULTS
TESTS += tests/crash/quick
endif
EXTRA_DIST += tests/crash/bench.py tests/crash/leaks.py tests/crash/quick \
	tests/crash/run tests/crash/scenarios.py tests/crash/stops.c
