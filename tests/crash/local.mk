# Stops at every commit, write, flush, rename and request.
EXTRA_DIST += tests/crash/run tests/crash/scenarios.py
