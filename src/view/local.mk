noinst_LIBRARIES += libsp_view.a
libsp_view_a_SOURCES = \
	src/view/cache.c src/view/open.c src/view/prepare.c \
	src/view/private.h src/view/render.c src/view/view.h

check_PROGRAMS += tests/unit/test_view
TESTS += tests/unit/test_view
tests_unit_test_view_SOURCES = tests/unit/test_view.c \
	tests/unit/eas_model.c tests/unit/eas_model.h \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_view_LDADD = libsp_test.a libsp_view.a $(LINK_3)
