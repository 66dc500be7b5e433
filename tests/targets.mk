# make check under sanitizers and valgrind, fuzzing, formatting. Each builds in
# a folder of its own below the build folder, which stays for the next time.
#
#     make check-asan              AddressSanitizer, UBSan, leaks
#     make check-tsan              ThreadSanitizer
#     make check-valgrind          the unit tests of this build under valgrind
#     make fuzz [SECONDS=60] [TARGETS="mime wbxml"]
#     make format                  clang-format over src and tests
#
# SAN_CC is the compiler of the first two, FUZZ_CC (clang) that of fuzz.

SAN_CC = $(CC)
FUZZ_CC = clang
SECONDS = 60
TARGETS =
SAN_FLAGS = -O1 -g

# A report ends the program with 66: no test can take it for its own end.
ASAN_RUN = ASAN_OPTIONS=exitcode=66:detect_stack_use_after_return=1:strict_string_checks=1:$$ASAN_OPTIONS \
	LSAN_OPTIONS=suppressions=$(abs_top_srcdir)/tests/lsan.supp:print_suppressions=0:$$LSAN_OPTIONS \
	UBSAN_OPTIONS=print_stacktrace=1:$$UBSAN_OPTIONS
TSAN_RUN = TSAN_OPTIONS=exitcode=66:halt_on_error=1:second_deadlock_stack=1:suppressions=$(abs_top_srcdir)/tests/tsan.supp:$$TSAN_OPTIONS

build-asan/Makefile:
	mkdir -p build-asan
	cd build-asan && $(abs_top_srcdir)/configure --enable-sanitizers=address \
	    --enable-faults --enable-werror CC='$(SAN_CC)' CFLAGS='$(SAN_FLAGS)'
build-tsan/Makefile:
	mkdir -p build-tsan
	cd build-tsan && $(abs_top_srcdir)/configure --enable-sanitizers=thread \
	    --enable-faults --enable-werror CC='$(SAN_CC)' CFLAGS='$(SAN_FLAGS)'
build-fuzz/Makefile:
	mkdir -p build-fuzz
	cd build-fuzz && $(abs_top_srcdir)/configure --enable-fuzzing \
	    CC='$(FUZZ_CC)' CFLAGS='$(SAN_FLAGS)'

check-asan: build-asan/Makefile
	+$(ASAN_RUN) $(MAKE) -C build-asan check
check-tsan: build-tsan/Makefile
	+$(TSAN_RUN) $(MAKE) -C build-tsan check

# Optional. Programs only: what scripts start is tested by the two above. Left
# out: tests that start children under limits, which valgrind breaks.
NO_VALGRIND = tests/unit/test_loop tests/unit/test_loop_stream \
	tests/unit/test_secrets tests/unit/test_store
check-valgrind: $(check_PROGRAMS)
	+$(MAKE) check-TESTS TESTS='$(filter-out $(NO_VALGRIND),$(filter tests/unit/%,$(check_PROGRAMS)))' \
	    LOG_COMPILER='valgrind -q --error-exitcode=66 --leak-check=full --errors-for-leak-kinds=definite --suppressions=$(abs_top_srcdir)/tests/valgrind.supp'

fuzz: build-fuzz/Makefile
	+$(MAKE) -C build-fuzz fuzz-targets
	srcdir='$(abs_top_srcdir)' builddir='$(abs_top_builddir)/build-fuzz' \
	    $(abs_top_srcdir)/tests/fuzz/run $(SECONDS) $(TARGETS)
fuzz-targets: $(FUZZ_TARGETS)

format:
	cd $(top_srcdir) && find src tests -name '*.[ch]' \
	    -not -name 'tags_list.h' -not -name 'tags_table.c' | \
	    xargs clang-format -i

clean-local:
	rm -rf build-asan build-tsan build-fuzz

.PHONY: check-asan check-tsan check-valgrind fuzz fuzz-targets format
EXTRA_DIST += tests/targets.mk tests/tsan.supp tests/lsan.supp \
	tests/valgrind.supp tests/fuzz/run
