noinst_LIBRARIES += libsp_certs.a
libsp_certs_a_SOURCES = \
	src/certs/certs.h src/certs/cipher.c src/certs/describe.c \
	src/certs/find.c src/certs/issuers.c src/certs/judged.c src/certs/learn.c \
	src/certs/members.c src/certs/private.h src/certs/trust.c src/certs/validate.c

# The vectors need smime, keys and certs together.
check_PROGRAMS += tests/smime_vectors
tests_smime_vectors_SOURCES = tests/smime_vectors.c
tests_smime_vectors_LDADD = libsp_test.a $(LINK_3)
TESTS += tests/smime_vectors.sh
EXTRA_DIST += tests/smime_vectors.sh tests/data/smime tests/tools/mkpki

# Judged as the daemon does, so it needs certs beside smime.
check_PROGRAMS += tests/unit/test_smime
TESTS += tests/unit/test_smime
tests_unit_test_smime_SOURCES = tests/unit/test_smime.c
tests_unit_test_smime_LDADD = libsp_test.a $(LINK_3)

check_PROGRAMS += tests/unit/test_certs
TESTS += tests/unit/test_certs
tests_unit_test_certs_SOURCES = tests/unit/test_certs.c
tests_unit_test_certs_LDADD = libsp_test.a $(LINK_3)

check_PROGRAMS += tests/unit/test_certs_find
TESTS += tests/unit/test_certs_find
tests_unit_test_certs_find_SOURCES = tests/unit/test_certs_find.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_certs_find_LDADD = libsp_test.a $(LINK_3)
