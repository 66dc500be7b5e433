noinst_LIBRARIES += libsp_secrets.a
libsp_secrets_a_SOURCES =
