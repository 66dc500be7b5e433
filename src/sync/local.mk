noinst_LIBRARIES += libsp_sync.a
libsp_sync_a_SOURCES = \
	src/sync/bodies.c src/sync/book.c src/sync/folders.c \
	src/sync/keyword.c src/sync/mark.c src/sync/ping.c \
	src/sync/private.h src/sync/pull.c src/sync/push.c \
	src/sync/round.c src/sync/sync.c src/sync/sync.h src/sync/wait.c
