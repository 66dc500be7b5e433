noinst_LIBRARIES += libsp_certs.a
libsp_certs_a_SOURCES = \
	src/certs/certs.h src/certs/find.c src/certs/learn.c \
	src/certs/private.h src/certs/trust.c
