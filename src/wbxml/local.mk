noinst_LIBRARIES += libsp_wbxml.a
libsp_wbxml_a_SOURCES = \
	src/wbxml/gate.c src/wbxml/gate.h \
	src/wbxml/private.h \
	src/wbxml/read.c src/wbxml/read.h \
	src/wbxml/tags.c src/wbxml/tags.h \
	src/wbxml/tags_list.h \
	src/wbxml/tags_table.c \
	src/wbxml/text.h \
	src/wbxml/text_parse.c \
	src/wbxml/text_write.c \
	src/wbxml/tree.c src/wbxml/tree.h \
	src/wbxml/write.c src/wbxml/write.h
EXTRA_DIST += src/wbxml/codepages.tsv src/wbxml/mktags.awk

check_PROGRAMS += tests/unit/test_wbxml
TESTS += tests/unit/test_wbxml tests/unit/test_wbxml_tables.sh
EXTRA_DIST += tests/unit/test_wbxml_tables.sh
tests_unit_test_wbxml_SOURCES = tests/unit/test_wbxml.c \
	tests/unit/wbxml_judge.c tests/unit/wbxml_judge.h
tests_unit_test_wbxml_LDADD = libsp_test.a $(LINK_1) $(WBXML_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_wbxml
FUZZ_TARGETS += tests/fuzz/fuzz_wbxml
tests_fuzz_fuzz_wbxml_SOURCES = tests/fuzz/fuzz_wbxml.c
tests_fuzz_fuzz_wbxml_LDADD = $(FUZZ_MAIN) libsp_wbxml.a libsp_base.a $(SYS_1)

check_PROGRAMS += tests/fuzz/fuzz_wbxml_judge
FUZZ_TARGETS += tests/fuzz/fuzz_wbxml_judge
tests_fuzz_fuzz_wbxml_judge_SOURCES = tests/fuzz/fuzz_wbxml_judge.c \
	tests/unit/wbxml_judge.c tests/unit/wbxml_judge.h
tests_fuzz_fuzz_wbxml_judge_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_fuzz_fuzz_wbxml_judge_LDADD = $(FUZZ_MAIN) libsp_wbxml.a libsp_base.a \
	$(SYS_1) $(WBXML_LIBS)
