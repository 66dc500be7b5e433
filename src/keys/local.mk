noinst_LIBRARIES += libsp_keys.a
libsp_keys_a_SOURCES = \
	src/keys/import.c \
	src/keys/keys.c src/keys/keys.h \
	src/keys/private.h

check_PROGRAMS += tests/unit/test_keys
TESTS += tests/unit/test_keys
tests_unit_test_keys_SOURCES = tests/unit/test_keys.c
tests_unit_test_keys_LDADD = libsp_test.a $(LINK_2)
