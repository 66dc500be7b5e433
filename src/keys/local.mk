noinst_LIBRARIES += libsp_keys.a
libsp_keys_a_SOURCES = \
	src/keys/import.c \
	src/keys/keys.c src/keys/keys.h \
	src/keys/private.h
