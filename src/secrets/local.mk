noinst_LIBRARIES += libsp_secrets.a
libsp_secrets_a_SOURCES = \
	src/secrets/command.c src/secrets/command.h \
	src/secrets/form.c \
	src/secrets/hash.c src/secrets/hash.h \
	src/secrets/private.h \
	src/secrets/secrets.c src/secrets/secrets.h

check_PROGRAMS += tests/unit/test_secrets
TESTS += tests/unit/test_secrets
tests_unit_test_secrets_SOURCES = tests/unit/test_secrets.c
tests_unit_test_secrets_LDADD = libsp_test.a libsp_secrets.a libsp_loop.a \
	libsp_base.a $(SYS_2)

check_PROGRAMS += tests/fuzz/fuzz_secrets
FUZZ_TARGETS += tests/fuzz/fuzz_secrets
tests_fuzz_fuzz_secrets_SOURCES = tests/fuzz/fuzz_secrets.c
tests_fuzz_fuzz_secrets_LDADD = $(FUZZ_MAIN) libsp_secrets.a libsp_loop.a \
	libsp_base.a $(SYS_2)
