noinst_LIBRARIES += libsp_imap.a
libsp_imap_a_SOURCES = \
	src/imap/append.h src/imap/client.c \
	src/imap/cmd_append.c src/imap/cmd_basic.c src/imap/cmd_copy.c \
	src/imap/cmd_expunge.c src/imap/cmd_fetch.c src/imap/cmd_folder.c \
	src/imap/cmd_idle.c src/imap/cmd_list.c src/imap/cmd_login.c \
	src/imap/cmd_move.c src/imap/cmd_search.c src/imap/cmd_select.c \
	src/imap/cmd_status.c src/imap/cmd_store.c src/imap/cmd_subscribe.c \
	src/imap/command.c src/imap/command.h \
	src/imap/compact.c src/imap/compact.h src/imap/copy.h \
	src/imap/envelope.c src/imap/envelope.h src/imap/expunge.c \
	src/imap/fetch.h src/imap/fetch_write.c \
	src/imap/flags.c src/imap/flags.h \
	src/imap/input.c src/imap/input.h src/imap/list.h \
	src/imap/mailbox.c src/imap/opener.c src/imap/opener.h \
	src/imap/parse.c src/imap/parse.h src/imap/parse_append.c \
	src/imap/parse_fetch.c src/imap/parse_list.c src/imap/parse_search.c \
	src/imap/parse_value.c src/imap/private.h src/imap/reply.c \
	src/imap/search.h src/imap/search_match.c src/imap/selected.c \
	src/imap/server.c src/imap/server.h src/imap/status.h \
	src/imap/updates.c src/imap/utf7.c src/imap/utf7.h src/imap/write.c

check_PROGRAMS += tests/unit/test_imap
TESTS += tests/unit/test_imap
tests_unit_test_imap_SOURCES = tests/unit/test_imap.c
tests_unit_test_imap_LDADD = libsp_test.a libsp_imap.a $(LINK_5)

check_PROGRAMS += tests/fuzz/fuzz_imap
FUZZ_TARGETS += tests/fuzz/fuzz_imap
tests_fuzz_fuzz_imap_SOURCES = tests/fuzz/fuzz_imap.c
tests_fuzz_fuzz_imap_LDADD = $(FUZZ_MAIN) libsp_imap.a $(LINK_5)

TESTS += tests/imap/door.py
EXTRA_DIST += tests/imap/door.py
