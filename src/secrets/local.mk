noinst_LIBRARIES += libsp_secrets.a
libsp_secrets_a_SOURCES = \
	src/secrets/command.h \
	src/secrets/hash.h \
	src/secrets/secrets.h
