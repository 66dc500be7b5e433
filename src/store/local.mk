noinst_LIBRARIES += libsp_store.a
libsp_store_a_SOURCES =
