noinst_LIBRARIES += libsp_view.a
libsp_view_a_SOURCES =
