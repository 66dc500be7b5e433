noinst_LIBRARIES += libsp_loop.a
libsp_loop_a_SOURCES =
