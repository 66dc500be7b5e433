noinst_LIBRARIES += libsp_certs.a
libsp_certs_a_SOURCES =
