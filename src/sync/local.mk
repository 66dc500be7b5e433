noinst_LIBRARIES += libsp_sync.a
libsp_sync_a_SOURCES =
