noinst_LIBRARIES += libsp_eas.a
libsp_eas_a_SOURCES = \
	src/eas/auth.c src/eas/auth.h \
	src/eas/configure.c \
	src/eas/connect.c \
	src/eas/eas.c src/eas/eas.h \
	src/eas/empty.c \
	src/eas/folders.c \
	src/eas/items.c src/eas/items_private.h \
	src/eas/items_read.c \
	src/eas/move.c \
	src/eas/multipart.c \
	src/eas/oof.c \
	src/eas/ping.c \
	src/eas/policy.c src/eas/policy.h \
	src/eas/private.h \
	src/eas/provision.c \
	src/eas/queue.c \
	src/eas/request.c \
	src/eas/resolve.c \
	src/eas/search.c \
	src/eas/send.c \
	src/eas/settings.c \
	src/eas/status.c src/eas/status.h \
	src/eas/sync.c src/eas/sync_private.h \
	src/eas/sync_read.c \
	src/eas/validate.c \
	src/eas/withhold.c \
	src/eas/wipe.c

check_PROGRAMS += tests/unit/test_eas_connect
TESTS += tests/unit/test_eas_connect
tests_unit_test_eas_connect_SOURCES = tests/unit/test_eas_connect.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_eas_connect_LDADD = libsp_test.a $(LINK_2)

check_PROGRAMS += tests/unit/test_eas_stream
TESTS += tests/unit/test_eas_stream
tests_unit_test_eas_stream_SOURCES = tests/unit/test_eas_stream.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_eas_stream_LDADD = libsp_test.a $(LINK_2)

check_PROGRAMS += tests/fuzz/fuzz_eas
FUZZ_TARGETS += tests/fuzz/fuzz_eas
tests_fuzz_fuzz_eas_SOURCES = tests/fuzz/fuzz_eas.c
tests_fuzz_fuzz_eas_LDADD = $(FUZZ_MAIN) $(LINK_2)

check_PROGRAMS += tests/unit/test_eas_more
TESTS += tests/unit/test_eas_more
tests_unit_test_eas_more_SOURCES = tests/unit/test_eas_more.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_eas_more_LDADD = libsp_test.a $(LINK_2)

check_PROGRAMS += tests/unit/test_eas_items
TESTS += tests/unit/test_eas_items
tests_unit_test_eas_items_SOURCES = tests/unit/test_eas_items.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_eas_items_LDADD = libsp_test.a $(LINK_2)

check_PROGRAMS += tests/unit/test_eas_auth
TESTS += tests/unit/test_eas_auth
tests_unit_test_eas_auth_SOURCES = tests/unit/test_eas_auth.c
tests_unit_test_eas_auth_LDADD = libsp_test.a $(LINK_2)

check_PROGRAMS += tests/fuzz/fuzz_eas_items tests/fuzz/fuzz_eas_url
FUZZ_TARGETS += tests/fuzz/fuzz_eas_items tests/fuzz/fuzz_eas_url
tests_fuzz_fuzz_eas_items_SOURCES = tests/fuzz/fuzz_eas_items.c
tests_fuzz_fuzz_eas_items_LDADD = $(FUZZ_MAIN) $(LINK_2)
tests_fuzz_fuzz_eas_url_SOURCES = tests/fuzz/fuzz_eas_url.c
tests_fuzz_fuzz_eas_url_LDADD = $(FUZZ_MAIN) $(LINK_2)

check_PROGRAMS += tests/unit/test_eas_policy
TESTS += tests/unit/test_eas_policy
tests_unit_test_eas_policy_SOURCES = tests/unit/test_eas_policy.c
tests_unit_test_eas_policy_LDADD = libsp_test.a $(LINK_2)

check_PROGRAMS += tests/unit/test_eas_versions
TESTS += tests/unit/test_eas_versions
tests_unit_test_eas_versions_SOURCES = tests/unit/test_eas_versions.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_eas_versions_LDADD = libsp_test.a $(LINK_2)
