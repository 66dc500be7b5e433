noinst_LIBRARIES += libsp_smtp.a
libsp_smtp_a_SOURCES = src/smtp/server.h
