noinst_LIBRARIES += libsp_account.a
libsp_account_a_SOURCES =
