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
	src/mime/people.c \
	src/mime/private.h \
	src/mime/section.c src/mime/section.h \
	src/mime/seven.c \
	src/mime/value.c \
	src/mime/words.c \
	src/mime/write.c src/mime/write.h

check_PROGRAMS += tests/fuzz/fuzz_mime
FUZZ_TARGETS += tests/fuzz/fuzz_mime
tests_fuzz_fuzz_mime_SOURCES = tests/fuzz/fuzz_mime.c
tests_fuzz_fuzz_mime_LDADD = $(FUZZ_MAIN) libsp_mime.a libsp_base.a $(SYS_1)
EXTRA_DIST += tests/fuzz/mime.dict

check_PROGRAMS += tests/unit/test_mime
TESTS += tests/unit/test_mime
tests_unit_test_mime_SOURCES = tests/unit/test_mime.c
tests_unit_test_mime_LDADD = libsp_test.a libsp_mime.a libsp_base.a $(SYS_1)
