noinst_LIBRARIES += libsp_smime.a
libsp_smime_a_SOURCES = \
	src/smime/decrypt.c \
	src/smime/json.c src/smime/json.h \
	src/smime/open.c src/smime/open.h \
	src/smime/private.h \
	src/smime/report.c src/smime/report.h \
	src/smime/seal.c src/smime/seal.h \
	src/smime/sound.c \
	src/smime/verdict.c src/smime/verdict.h \
	src/smime/verify.c

check_PROGRAMS += tests/fuzz/fuzz_smime
FUZZ_TARGETS += tests/fuzz/fuzz_smime
tests_fuzz_fuzz_smime_SOURCES = tests/fuzz/fuzz_smime.c
tests_fuzz_fuzz_smime_LDADD = $(FUZZ_MAIN) $(LINK_2)
