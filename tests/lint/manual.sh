#!/bin/bash
# Every setting stands in conf/sealpost.conf and in its manual page.
set -u
srcdir=${srcdir:-.}
table=$srcdir/src/settings/table.c
names=$(sed -n '/^const struct setting settings_table/,/^};/s/^    {"\([a-z_0-9]*\)".*/\1/p' "$table")
n=$(printf '%s\n' $names | wc -l)
echo "1..2"
test "$n" -gt 50 || { echo "Bail out! the table was not understood"; exit 1; }
for what in "conf/sealpost.conf" "doc/sealpost.conf.5"; do
    i=$((${i:-0} + 1))
    missing=
    for name in $names; do
        grep -Eq "(^|[^a-z_0-9])$name([^a-z_0-9]|\$)" "$srcdir/$what" ||
            missing="$missing $name"
    done
    if [ -z "$missing" ]; then
        echo "ok $i - $what names each of $n settings"
    else
        echo "not ok $i - $what lacks$missing"
    fi
done
