noinst_LIBRARIES += libsp_eas.a
libsp_eas_a_SOURCES =
