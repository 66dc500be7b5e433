#!/bin/bash
# mime and smime run in threads and keep no globals: no symbol of theirs lies
# in a section that is written to. A pthread_once_t named "once" may.
set -u
cd "${builddir:-.}" || exit 1
if ! command -v nm >/dev/null; then
    echo "1..0 # SKIP no nm"
    exit 0
fi
if grep -q 'fsanitize' Makefile; then
    if grep -qE '^SP_(SAN|FUZZ) = .*fsanitize' Makefile; then
        echo "1..0 # SKIP sanitizers add symbols of their own"
        exit 0
    fi
fi
echo 1..2
k=0
for room in mime smime; do
    k=$((k + 1))
    found=$(nm -f sysv "libsp_$room.a" | awk -F'|' '
        { gsub(/ /, "") }
        $7 ~ /^\.t?(data|bss)/ && $7 !~ /^\.data\.rel\.ro/ &&
            $1 !~ /^once(\.[0-9]+)?$/ { print "# " $1 " in " $7 }')
    all=$(nm "libsp_$room.a" | grep -c ' [tT] ')
    if [ -z "$found" ] && [ "$all" -gt 0 ]; then
        echo "ok $k - $room keeps no globals"
    else
        echo "${found:-# no functions seen}"
        echo "not ok $k - $room keeps no globals"
    fi
done
