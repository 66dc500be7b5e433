noinst_LIBRARIES += libsp_settings.a
libsp_settings_a_SOURCES = \
	src/settings/append.h \
	src/settings/settings.h
