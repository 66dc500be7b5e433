# Test support. Unit tests are listed in src/ROOM/local.mk.
check_LIBRARIES += libsp_test.a
libsp_test_a_SOURCES = tests/unit/test.c tests/unit/test.h
