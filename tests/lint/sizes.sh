#!/bin/bash
# Sizes of the source files (above 500 lines a word, above 700 a refusal; what
# is generated says so in its first lines), lines (above 80 columns a word,
# above 100 a refusal), and the map: src/README.md has a word on every file, and on no other.
set -u
cd "${srcdir:-.}" || exit 1
echo 1..4
declare -A failed=([1]='' [2]='' [3]='' [4]='')
n=0
while read -r file; do
    n=$((n + 1))
    if ! head -5 "$file" | grep -qiE 'generated|made by [a-z]+\.awk'; then
        lines=$(wc -l <"$file")
        if [ "$lines" -gt 700 ]; then
            failed[1]+="# $file has $lines lines"$'\n'
        elif [ "$lines" -gt 500 ]; then
            echo "# $file has $lines lines: does it do one thing?"
        fi
        read -r line width < <(awk '!/[\200-\377]/ && length($0) > m {
            m = length($0); n = FNR } END { print n + 0, m + 0 }' "$file")
        if [ "$width" -gt 100 ]; then
            failed[2]+="# $file:$line: $width columns"$'\n'
        elif [ "$width" -gt 80 ]; then
            echo "# $file:$line: $width columns, 80 are the house rule"
        fi
    fi
done < <(find src -name '*.[ch]' | LC_ALL=C sort)
[ "$n" -gt 0 ] || failed[1]="# nothing was read"$'\n'

# A word `name.c`, `name.h` or `name` (both) below the heading of its room.
map=$(awk '/^## / { room = $2; next }
    room {
        rest = $0
        while (match(rest, /`[^`]+`/)) {
            word = substr(rest, RSTART + 1, RLENGTH - 2)
            rest = substr(rest, RSTART + RLENGTH)
            if (word !~ /[\/ ]/) print "src/" room "/" word
        }
    }' src/README.md)
while read -r file; do
    grep -qxF -e "$file" -e "${file%.?}" <<<"$map" ||
        failed[3]+="# $file is not in src/README.md"$'\n'
done < <(find src -mindepth 2 -name '*.[ch]' | LC_ALL=C sort)
while read -r name; do
    case $name in
    *.c | *.h) [ -f "$name" ] ;;
    *.*) true ;;
    *) [ -f "$name.c" ] || [ -f "$name.h" ] || [[ $name == *[_A-Z]* ]] ;;
    esac || failed[4]+="# src/README.md names $name, which is not there"$'\n'
done <<<"$map"

tell() {
    if [ -n "${failed[$1]}" ]; then
        printf '%snot ok %s - %s\n' "${failed[$1]}" "$1" "$2"
    else
        echo "ok $1 - $2"
    fi
}
tell 1 "no source file above 700 lines"
tell 2 "no line above 100 columns"
tell 3 "the map has every file"
tell 4 "the map has no other"
