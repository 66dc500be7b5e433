noinst_LIBRARIES += libsp_imap.a
libsp_imap_a_SOURCES = src/imap/server.h
