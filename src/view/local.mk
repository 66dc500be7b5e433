noinst_LIBRARIES += libsp_view.a
libsp_view_a_SOURCES = \
	src/view/cache.c src/view/open.c src/view/prepare.c \
	src/view/private.h src/view/render.c src/view/view.h
