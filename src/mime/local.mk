noinst_LIBRARIES += libsp_mime.a
libsp_mime_a_SOURCES = \
	src/mime/address.c src/mime/address.h \
	src/mime/address_check.c \
	src/mime/charset.c \
	src/mime/date.c src/mime/date.h \
	src/mime/encoding.c src/mime/encoding.h \
	src/mime/header.c src/mime/header.h \
	src/mime/imap.c src/mime/imap.h \
	src/mime/message.c src/mime/message.h \
	src/mime/part.c \
	src/mime/private.h \
	src/mime/section.c src/mime/section.h \
	src/mime/seven.c \
	src/mime/value.c \
	src/mime/words.c \
	src/mime/write.c src/mime/write.h
