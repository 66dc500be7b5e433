# Measured by hand: tests/bench/run. No figure is judged in make check, only
# that there are some.
check_PROGRAMS += tests/bench/cms_loop
tests_bench_cms_loop_SOURCES = tests/bench/cms_loop.c
tests_bench_cms_loop_LDADD = $(LINK_2)
EXTRA_DIST += tests/bench/run tests/bench/measure.py tests/bench/mailbox.py \
	tests/bench/own.py tests/bench/first_sync.py tests/bench/peers.py \
	tests/bench/smoke.py
TESTS += tests/bench/smoke.py
check_PROGRAMS += tests/bench/eas_loop
tests_bench_eas_loop_SOURCES = tests/bench/eas_loop.c
tests_bench_eas_loop_LDADD = $(CURL_LIBS)
