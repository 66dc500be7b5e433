noinst_LIBRARIES += libsp_wbxml.a
libsp_wbxml_a_SOURCES = \
	src/wbxml/gate.h \
	src/wbxml/private.h \
	src/wbxml/read.h \
	src/wbxml/tags.c src/wbxml/tags.h \
	src/wbxml/tags_list.h \
	src/wbxml/tags_table.c \
	src/wbxml/text.h \
	src/wbxml/tree.h \
	src/wbxml/write.h
EXTRA_DIST += src/wbxml/codepages.tsv src/wbxml/mktags.awk
