noinst_LIBRARIES += libsp_mime.a
libsp_mime_a_SOURCES =
