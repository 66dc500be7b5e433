noinst_LIBRARIES += libsp_wbxml.a
libsp_wbxml_a_SOURCES =
