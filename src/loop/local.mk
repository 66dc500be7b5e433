noinst_LIBRARIES += libsp_loop.a
libsp_loop_a_SOURCES = \
	src/loop/child.c src/loop/child.h \
	src/loop/flow.c src/loop/flow.h \
	src/loop/http.c src/loop/http.h \
	src/loop/httpd.c src/loop/httpd.h \
	src/loop/httpd_parse.c src/loop/httpd_parse.h \
	src/loop/listener.c src/loop/listener.h \
	src/loop/loop.c src/loop/loop.h src/loop/private.h \
	src/loop/op.c src/loop/op.h \
	src/loop/stream.c src/loop/stream.h \
	src/loop/tls.c src/loop/tls.h src/loop/tls_private.h \
	src/loop/worker.c src/loop/worker.h

check_PROGRAMS += tests/unit/test_loop tests/unit/test_loop_http tests/unit/test_loop_stream
TESTS += tests/unit/test_loop tests/unit/test_loop_http tests/unit/test_loop_stream
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_LDADD = libsp_test.a libsp_loop.a libsp_base.a $(SYS_1)
tests_unit_test_loop_http_SOURCES = tests/unit/test_loop_http.c
tests_unit_test_loop_http_LDADD = libsp_test.a libsp_loop.a libsp_base.a $(SYS_1)
tests_unit_test_loop_stream_SOURCES = tests/unit/test_loop_stream.c
tests_unit_test_loop_stream_LDADD = libsp_test.a libsp_loop.a libsp_base.a $(SYS_1)

check_PROGRAMS += tests/fuzz/fuzz_httpd
FUZZ_TARGETS += tests/fuzz/fuzz_httpd
tests_fuzz_fuzz_httpd_SOURCES = tests/fuzz/fuzz_httpd.c
tests_fuzz_fuzz_httpd_LDADD = $(FUZZ_MAIN) libsp_loop.a libsp_base.a $(SYS_1)
