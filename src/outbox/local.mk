noinst_LIBRARIES += libsp_outbox.a
libsp_outbox_a_SOURCES = src/outbox/outbox.h
