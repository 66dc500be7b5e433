# What CI runs, in this order. A row: name, most seconds, the file without
# which the stage does not exist yet, what it shows. The function of the same
# name below runs it; build trees stand in $work ($work/gcc is the one that the
# end-to-end stages use).
STAGES='
gcc        900  configure.ac               gcc without a warning, make check
clang      400  configure.ac               clang without a warning
e2e141     400  tests/e2e/suite.py         end to end against the sandbox at 14.1
e2e161     400  tests/e2e/suite.py         end to end against the sandbox at 16.1
badinput   400  tests/e2e/bad_input.py     bad input and bad times, each its own clear error
crash      700  tests/crash/run            stopped at every commit, nothing lost or doubled
clients    400  tests/interop/clients/run  curl, mbsync, mutt, msmtp, Python
sogo       700  tests/e2e/suite.py         end to end against a real SOGo
asan       900  configure.ac               make check with ASan and UBSan
tsan       900  configure.ac               make check with TSan
fuzz       600  tests/fuzz/run             every parser for a few seconds
distcheck  700  configure.ac               make distcheck
bare       900  tests/demo/run             the demonstration on a bare Debian 13
'

gcc() {
    step configure configured gcc --enable-werror --enable-faults CC="$ccache gcc" || return
    step build make -C "$work/gcc" -j"$jobs" || return
    checked gcc
}

clang() {
    step configure configured clang --enable-werror --enable-faults CC="$ccache clang" || return
    step build make -C "$work/clang" -j"$jobs" all || return
    # the tests are compiled, not run: that is another stage's work
    step tests make -C "$work/clang" -j"$jobs" check TESTS=
}

asan() {
    step configure configured asan --enable-sanitizers=address --enable-faults \
        CC="$ccache gcc" CFLAGS='-g -O1' || return
    step build make -C "$work/asan" -j"$jobs" || return
    # the text is the same, and these builds have symbols of their own
    check_without=LINT_TESTS=
    checked asan env ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 \
        UBSAN_OPTIONS=print_stacktrace=1
}

tsan() {
    step configure configured tsan --enable-sanitizers=thread --enable-faults \
        CC="$ccache gcc" CFLAGS='-g -O1' || return
    step build make -C "$work/tsan" -j"$jobs" || return
    check_without=LINT_TESTS=
    # its shadow memory does not bear the wide address space layout of new kernels
    checked tsan setarch "$(uname -m)" -R env TSAN_OPTIONS=halt_on_error=1
}

distcheck() {
    step configure configured gcc --enable-werror --enable-faults CC="$ccache gcc" || return
    step distcheck make -C "$work/gcc" -j"$jobs" distcheck
}

python=/usr/bin/python3
export builddir=$work/gcc
e2e141() { take_tap 14.1 $python tests/e2e/suite.py sandbox:14.1; }
e2e161() { take_tap 16.1 $python tests/e2e/suite.py sandbox:16.1; }
badinput() { take_tap badinput ${root[@]+"${root[@]}"} $python tests/e2e/bad_input.py; }
crash() { take_tap crash tests/crash/run --seconds 240; }
clients() { take_tap clients tests/interop/clients/run; }
sogo() { take_tap sogo ${root[@]+"${root[@]}"} tests/interop/sogo/run; }

fuzz() {
    local targets

    step configure configured fuzz --enable-fuzzing CC=clang || return
    targets=$(cd "$top" && ls tests/fuzz/fuzz_*.c)
    # shellcheck disable=SC2086
    step build make -C "$work/fuzz" -j"$jobs" ${targets//.c/} || return
    srcdir=$top builddir=$work/fuzz take_tap fuzz tests/fuzz/run 6
}

bare() { step demo ${root[@]+"${root[@]}"} tests/bare trixie ./quickstart demo; }
