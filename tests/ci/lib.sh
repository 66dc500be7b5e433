# How a stage of tests/ci/stages.sh tells what came out of it. Each verdict is
# a line "VERDICT stage: name" in $results; nothing is counted from anything
# else, and a stage that leaves no verdict has failed. What helps to understand
# a failure goes to $remarks, and is shown instead of the end of the log.

check_without=

# verdict PASS|FAIL|SKIP|XFAIL|XPASS|ERROR NAME
verdict() { printf '%s %s: %s\n' "$1" "$stage" "$2" >>"$results"; }

# step NAME COMMAND...: one verdict for a command
step() {
    local name=$1

    shift
    if "$@"; then verdict PASS "$name"; else
        verdict FAIL "$name"
        return 1
    fi
}

# take_trs FOLDER: the verdicts of Automake's test driver below FOLDER. A .trs
# has no names; they are the TAP lines of the log beside it, in this order.
take_trs() {
    local trs

    while IFS= read -r -d '' trs; do
        name=${trs#"$1"/}
        awk -v head="$stage: ${name%.trs}" '
            FILENAME ~ /\.log$/ && (/^(not )?ok([ \t]|$)/ || /^1\.\.0/) {
                sub(/^(not )?ok[ \t]*/, ""); names[++n] = $0 }
            FILENAME ~ /\.trs$/ && /^:test-result:/ {
                print $2 " " head " " names[++i] }
        ' "${trs%.trs}.log" "$trs"
        ! grep -qE '^:global-test-result: (FAIL|ERROR|XPASS)' "$trs" || {
            echo "---- ${name%.trs}"
            grep -vE '^(ok|PASS|XFAIL)' "${trs%.trs}.log" | tail -n 40
        } >>"$remarks"
    done < <(find "$1" -name '*.trs' -print0 | sort -z) >>"$results"
}

# take_tap NAME COMMAND...: runs a program that speaks TAP, with its verdicts.
# Its exit status and its plan count, too.
take_tap() {
    local name=$1 status=0 out=$results.tap

    shift
    "$@" 2>&1 | tee "$out" || true
    status=${PIPESTATUS[0]}
    awk -v head="$stage: $name" '
        function say(v, text) { print v " " head ": " text; n++; if (v == "FAIL") bad++ }
        /^Bail out!/ { say("FAIL", $0) }
        /^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; planned = 1 }
        /^(not )?ok([ \t]|$)/ {
            v = /^not ok/ ? "FAIL" : "PASS"
            if (tolower($0) ~ /# *skip/) v = "SKIP"
            else if (tolower($0) ~ /# *todo/) v = v == "PASS" ? "XPASS" : "XFAIL"
            text = $0
            sub(/^(not )?ok[ \t]*[0-9]*[ \t]*-?[ \t]*/, "", text)
            if (v == "XPASS") bad++
            say(v, text)
        }
        END {
            if (!planned) say("FAIL", "said no plan")
            else if (n != plan) say("FAIL", "planned " plan " tests, ran " n + 0)
            else if (n == 0) say("FAIL", "ran no test")
        }' "$out" >>"$results"
    if [ "$status" != 0 ] && ! grep -q "^\(FAIL\|XPASS\|ERROR\) $stage: $name" "$results"; then
        verdict FAIL "$name: exit status $status"
    fi
    grep -qE "^(FAIL|XPASS|ERROR) " "$results" &&
        { echo "---- $name"; grep -vE '^ok' "$out" | tail -n 60; } >>"$remarks"
    rm -f "$out"
}

# configured FOLDER OPTION...: an out-of-tree build below $work
configured() {
    local folder=$work/$1

    shift
    mkdir -p "$folder"
    [ -s "$folder/Makefile" ] || (cd "$folder" && "$top/configure" -q "$@") || {
        tail -n 20 "$folder/config.log"
        return 1
    }
}

# checked FOLDER: make check there, as verdicts
checked() { checked_by "$work/$1" make -C "$work/$1" check; }

# checked_by FOLDER COMMAND...: a make that runs the tests in FOLDER, as
# verdicts. $check_without takes lists of tests out (LINT_TESTS=).
checked_by() {
    local folder=$1 status=0

    shift
    [ ! -d "$folder" ] || find "$folder" -name '*.trs' -delete
    # shellcheck disable=SC2086
    "$@" -k -j"$jobs" VERBOSE=1 $check_without || status=$?
    take_trs "$folder"
    # a test that could not be built leaves no .trs
    [ "$status" = 0 ] || grep -qE "^(FAIL|XPASS|ERROR) " "$results" ||
        verdict FAIL "make check: exit status $status"
}
