#!/bin/bash
# The generated tag tables are what mktags.awk makes of codepages.tsv.
dir=$srcdir/src/wbxml
n=0
echo 1..2
check() {
    n=$((n + 1))
    if awk -v what="$1" -f "$dir/mktags.awk" "$dir/codepages.tsv" | cmp - "$dir/$2"; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2 is not what mktags.awk makes"
    fi
}
check h tags_list.h
check c tags_table.c
