#!/usr/bin/env bash
# The S/MIME vectors: ours from tests/data/smime; those of others, which stay
# outside the repository, from beside the source tree where they are.
set -u
program=$builddir/tests/smime_vectors
data=$srcdir/tests/data/smime
others=${SEALPOST_SHARED:-$srcdir/../shared}/smime/vectors

TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
"$program" "$data" "$data/expected.tsv" "$data/expected-failures.tsv" \
    > "$TMPDIR/own" || true
grep -v '^1\.\.' "$TMPDIR/own"
n=$(grep -cE '^(not )?ok' "$TMPDIR/own")
grep -q '^1\.\.' "$TMPDIR/own" || { n=$((n + 1)); echo "not ok $n - ran to the end"; }
if [ -r "$others/expected.tsv" ]; then
    # rows of key files ("p12: ...") have nothing to open
    grep -v '^generated/' "$others/expected.tsv" |
        grep -v "$(printf '\t')p12:" > "$TMPDIR/table"
    "$program" "$others" "$TMPDIR/table" "$data/expected-failures.tsv" \
        > "$TMPDIR/others" || true
    sed -E '/^1\.\./d; s/^((not )?ok) [0-9]+/\1/' "$TMPDIR/others"
    n=$((n + $(grep -cE '^(not )?ok' "$TMPDIR/others")))
    grep -q '^1\.\.' "$TMPDIR/others" ||
        { n=$((n + 1)); echo "not ok - ran to the end"; }
else
    n=$((n + 1))
    echo "ok $n - the vectors of others # SKIP they are not beside the tree"
fi
echo "1..$n"
