noinst_LIBRARIES += libsp_keys.a
libsp_keys_a_SOURCES =
