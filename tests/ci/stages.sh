# What CI runs, in this order. A row: name, most seconds, the file without
# which the stage does not exist yet, what it shows. The function of the same
# name below runs it; build trees stand in $work ($work/gcc is the one that the
# end-to-end stages use).
STAGES='
gcc        900  configure.ac               gcc without a warning; make check (units, dialogues, end to end)
clang      400  configure.ac               clang without a warning
versions   300  tests/e2e/suite.py         end to end against the sandbox at 14.0 and 16.0; policy, search and empty at all
large      240  tests/sandbox/large.py     a mailbox of 50,000 at the sandbox: CPU and memory
crash      700  tests/crash/run            stopped at commits and system calls, nothing lost or doubled
fulldisk   200  tests/crash/run            a full disk at commits and writes, the same end
faults     700  tests/faults/run           each command x each fault: the same end, or the error of the table
scenario   250  tests/scenario/run         scenarios of the specification: keys lost, answers lost, days offline
starts     200  tests/scenario/s7_start.py  a wipe stopped in every stage, a newer store, a second daemon
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

# The builds with sanitizers and for fuzzing are those of tests/targets.mk, in
# folders below this one. The lint reads the same text in each build, and these
# have symbols of their own.
sanitized() {
    check_without=LINT_TESTS=
    step configure configured san CC="$ccache gcc" || return
    checked_by "$work/san/build-$1" "${@:2}" make -C "$work/san" SAN_CC="$ccache gcc" "check-$1"
}
asan() { sanitized asan; }
# its shadow memory does not bear the wide address space layout of new kernels
tsan() { sanitized tsan setarch "$(uname -m)" -R; }

fuzz() {
    step configure configured san CC="$ccache gcc" || return
    take_tap fuzz make -C "$work/san" -j"$jobs" fuzz SECONDS=6
}

# It configures without --enable-faults, so some steps are rightly skipped.
distcheck() {
    step configure configured gcc --enable-werror --enable-faults CC="$ccache gcc" || return
    step distcheck env -u SEALPOST_CI make -C "$work/gcc" -j"$jobs" distcheck
}

export builddir=$work/gcc
versions() {
    take_tap eas-14.0 tests/e2e/run --version 14.0 || return
    take_tap eas-16.0 tests/e2e/run --version 16.0 || return
    for v in 14.0 14.1 16.0; do
        take_tap "policy-$v" tests/e2e/policy.py "$v" || return
        take_tap "recipients-$v" tests/e2e/recipients.py "$v" || return
    done
    for v in 14.0 14.1 16.0 16.1; do
        take_tap "find-$v" tests/e2e/find.py "$v" || return
    done
}
large() { take_tap large env srcdir=. tests/sandbox/large.py; }
crash() { take_tap crash tests/crash/run --stops 8; }
fulldisk() { take_tap fulldisk tests/crash/run --full-disk --stops 5; }
faults() {
    take_tap faults tests/faults/run || return
    take_tap soak tests/soak/run --minutes 0.3
}
scenario() { take_tap scenario tests/scenario/run; }
starts() { take_tap starts tests/scenario/s7_start.py --full; }
clients() { take_tap clients tests/interop/clients/run; }
sogo() { take_tap sogo ${root[@]+"${root[@]}"} tests/interop/sogo/run; }

bare() { step demo ${root[@]+"${root[@]}"} tests/bare trixie ./quickstart demo; }
