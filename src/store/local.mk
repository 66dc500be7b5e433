noinst_LIBRARIES += libsp_store.a
libsp_store_a_SOURCES = \
	src/store/aged.c src/store/body.c src/store/body.h src/store/evict.c \
	src/store/changed.c \
	src/store/certificate.c src/store/certificate.h \
	src/store/cipher.c \
	src/store/copy.c \
	src/store/db.c src/store/db.h \
	src/store/flush.c \
	src/store/folder.c src/store/folder.h \
	src/store/journal.c src/store/journal.h \
	src/store/message.c src/store/message.h \
	src/store/private.h \
	src/store/queue.c src/store/queue.h \
	src/store/reader.c src/store/record.c \
	src/store/remote.c \
	src/store/stage.c \
	src/store/schema.c \
	src/store/store.c src/store/store.h

check_PROGRAMS += tests/unit/test_store
TESTS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c
tests_unit_test_store_LDADD = libsp_test.a libsp_store.a libsp_loop.a \
	libsp_base.a $(SYS_2)

check_PROGRAMS += tests/unit/test_store_copy
TESTS += tests/unit/test_store_copy
tests_unit_test_store_copy_SOURCES = tests/unit/test_store_copy.c
tests_unit_test_store_copy_LDADD = libsp_test.a libsp_store.a libsp_loop.a \
	libsp_base.a $(SYS_2)

check_PROGRAMS += tests/fuzz/fuzz_store_cipher
FUZZ_TARGETS += tests/fuzz/fuzz_store_cipher
tests_fuzz_fuzz_store_cipher_SOURCES = tests/fuzz/fuzz_store_cipher.c
tests_fuzz_fuzz_store_cipher_LDADD = $(FUZZ_MAIN) libsp_store.a libsp_loop.a \
	libsp_base.a $(SYS_2)

check_PROGRAMS += tests/unit/test_store_reader
TESTS += tests/unit/test_store_reader
tests_unit_test_store_reader_SOURCES = tests/unit/test_store_reader.c
tests_unit_test_store_reader_LDADD = libsp_test.a libsp_store.a libsp_loop.a \
	libsp_base.a $(SYS_2)
check_PROGRAMS += tests/unit/test_store_evict
TESTS += tests/unit/test_store_evict
tests_unit_test_store_evict_SOURCES = tests/unit/test_store_evict.c
tests_unit_test_store_evict_LDADD = libsp_test.a libsp_store.a libsp_loop.a \
	libsp_base.a $(SYS_2)
