# Test support. Unit tests are listed in src/ROOM/local.mk.
check_LIBRARIES += libsp_test.a
libsp_test_a_SOURCES = tests/unit/test.c tests/unit/test.h

# Fuzz targets (tests/fuzz/fuzz_NAME.c, listed in FUZZ_TARGETS and
# check_PROGRAMS by their room, linked with $(FUZZ_MAIN) first): driven by
# libFuzzer with --enable-fuzzing, else their corpus is played in make check.
EXTRA_DIST += tests/fuzz/corpus
if FUZZING
FUZZ_MAIN = $(SP_FUZZ_LD)
else
check_LIBRARIES += libsp_replay.a
libsp_replay_a_SOURCES = tests/fuzz/replay.c
FUZZ_MAIN = libsp_replay.a
TESTS += $(FUZZ_TARGETS)
endif

# Trying and checking on bare machines; a real server.
EXTRA_DIST += quickstart packaging tests/bare tests/ci tests/demo tests/lab
