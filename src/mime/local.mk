noinst_LIBRARIES += libsp_mime.a
libsp_mime_a_SOURCES = \
	src/mime/address.h \
	src/mime/date.h \
	src/mime/encoding.h \
	src/mime/header.h \
	src/mime/imap.h \
	src/mime/message.h \
	src/mime/section.h \
	src/mime/write.h
