noinst_LIBRARIES += libsp_account.a
libsp_account_a_SOURCES = \
	src/account/account.c src/account/account.h \
	src/account/accounts.c src/account/apply.c \
	src/account/device.c \
	src/account/erase.c src/account/import.c src/account/oof.c src/account/open.c \
	src/account/private.h src/account/search.c src/account/tell.c src/account/wipe.c

check_PROGRAMS += tests/unit/test_account_wipe
TESTS += tests/unit/test_account_wipe
tests_unit_test_account_wipe_SOURCES = tests/unit/test_account_wipe.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_account_wipe_LDADD = libsp_test.a $(LINK_5)

check_PROGRAMS += tests/unit/test_account_oof
TESTS += tests/unit/test_account_oof
tests_unit_test_account_oof_SOURCES = tests/unit/test_account_oof.c \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_account_oof_LDADD = libsp_test.a $(LINK_5)
