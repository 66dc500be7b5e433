noinst_LIBRARIES += libsp_control.a
libsp_control_a_SOURCES = \
	src/control/alone.c \
	src/control/cert.c \
	src/control/command.c \
	src/control/key.c \
	src/control/oof.c \
	src/control/private.h \
	src/control/queue.c \
	src/control/request.c \
	src/control/search.c \
	src/control/server.c src/control/server.h \
	src/control/status.c

check_PROGRAMS += tests/unit/test_control tests/fuzz/fuzz_control
TESTS += tests/unit/test_control
tests_unit_test_control_SOURCES = tests/unit/test_control.c
tests_unit_test_control_LDADD = libsp_test.a libsp_control.a $(LINK_5)

FUZZ_TARGETS += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c
tests_fuzz_fuzz_control_LDADD = $(FUZZ_MAIN) libsp_control.a $(LINK_1)
