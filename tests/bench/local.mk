# Measured by hand: tests/bench/run. Nothing here is judged in make check.
check_PROGRAMS += tests/bench/cms_loop
tests_bench_cms_loop_SOURCES = tests/bench/cms_loop.c
tests_bench_cms_loop_LDADD = $(SSL_LIBS)
EXTRA_DIST += tests/bench/run
