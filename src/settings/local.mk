noinst_LIBRARIES += libsp_settings.a
libsp_settings_a_SOURCES = \
	src/settings/append.c src/settings/append.h \
	src/settings/check.c \
	src/settings/diff.c \
	src/settings/file.c \
	src/settings/private.h \
	src/settings/settings.c src/settings/settings.h \
	src/settings/show.c \
	src/settings/table.c \
	src/settings/value.c

check_PROGRAMS += tests/unit/test_settings
TESTS += tests/unit/test_settings
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c
tests_unit_test_settings_LDADD = libsp_test.a libsp_settings.a libsp_base.a \
	$(SYS_1)
EXTRA_DIST += conf/sealpost.conf

check_PROGRAMS += tests/fuzz/fuzz_settings
FUZZ_TARGETS += tests/fuzz/fuzz_settings
tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz_settings.c
tests_fuzz_fuzz_settings_LDADD = $(FUZZ_MAIN) libsp_settings.a libsp_loop.a \
	libsp_base.a $(SYS_2)

TESTS += tests/unit/test_settings_used.sh
EXTRA_DIST += tests/unit/test_settings_used.sh
