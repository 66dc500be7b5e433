noinst_LIBRARIES += libsp_sync.a
libsp_sync_a_SOURCES = \
	src/sync/bodies.c src/sync/book.c src/sync/empty.c src/sync/folders.c \
	src/sync/keyword.c src/sync/mark.c src/sync/ping.c \
	src/sync/private.h src/sync/pull.c src/sync/push.c \
	src/sync/round.c src/sync/several.c src/sync/standin.c src/sync/sync.c \
	src/sync/sync.h src/sync/timed.c src/sync/wait.c src/sync/window.c

check_PROGRAMS += tests/unit/test_sync
TESTS += tests/unit/test_sync
tests_unit_test_sync_SOURCES = tests/unit/test_sync.c \
	tests/unit/eas_model.c tests/unit/eas_model.h \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_sync_LDADD = libsp_test.a libsp_sync.a $(LINK_2)
