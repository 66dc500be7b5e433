noinst_LIBRARIES += libsp_account.a
libsp_account_a_SOURCES = \
	src/account/account.c src/account/account.h \
	src/account/accounts.c src/account/device.c \
	src/account/private.h src/account/tell.c
