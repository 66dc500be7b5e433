noinst_LIBRARIES += libsp_smime.a
libsp_smime_a_SOURCES = \
	src/smime/decrypt.c \
	src/smime/open.c src/smime/open.h \
	src/smime/private.h \
	src/smime/report.c src/smime/report.h \
	src/smime/seal.c src/smime/seal.h \
	src/smime/verdict.c src/smime/verdict.h \
	src/smime/verify.c
