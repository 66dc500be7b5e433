noinst_LIBRARIES += libsp_control.a
libsp_control_a_SOURCES = src/control/server.h
