#!/bin/bash
# What a stranger's machine would trip over: paths of the developers' own
# machines, scripts that do not parse, trailing blanks.
set -u
cd "${srcdir:-.}" || exit 1
echo 1..4
if git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ -e .git ]; then
    list() { git ls-files -z; }
else
    list() {
        find . -path ./autom4te.cache -prune -o -path './build*' -prune -o \
            -path './_*' -prune -o -type f -print0
    }
fi
texts=$(list | grep -zvE '(^|/)(build-aux|m4|corpus|tests/data)/' |
    grep -zvE '(^|/)(configure~?|aclocal\.m4|Makefile\.in|config\.h\.in~?)$' |
    xargs -0 grep -IlE '' 2>/dev/null | LC_ALL=C sort)
[ -n "$texts" ] || texts=/dev/null

# Written so that this file does not find itself.
own="(^|[^A-Za-z0-9_.})])/(wo""rk|Us""ers|scr""atch)/[A-Za-z]|/ro""ot/[.]"
own+="|(^|[^A-Za-z0-9_.}])/ho""me/[a-z]"
found=$(xargs -d '\n' grep -nE "$own" /dev/null <<<"$texts")
if [ -n "$found" ]; then
    sed 's/^/# /' <<<"$found"
    echo "not ok 1 - no path of a developer's machine"
else
    echo "ok 1 - no path of a developer's machine"
fi

bad='' n=0 bad_py='' n_py=0 bad_end=''
while read -r f; do
    case $f in
    *.py) kind=python ;;
    *.sh) kind=bash ;;
    *)
        kind=
        read -r first <"$f" || first=
        case $first in
        '#!'*python*) kind=python ;;
        '#!'*bash* | '#!/bin/sh'*) kind=bash ;;
        esac
        ;;
    esac
    if [ "$kind" = bash ]; then
        n=$((n + 1))
        bash -n "$f" 2>/dev/null || bad+=" $f"
    elif [ "$kind" = python ]; then
        n_py=$((n_py + 1))
        /usr/bin/python3 -c 'import ast, sys
ast.parse(open(sys.argv[1], encoding="utf-8").read())' "$f" 2>/dev/null ||
            bad_py+=" $f"
    fi
    case $f in
    *.[ch] | *.sh | *.py | *.mk | *.am | *.ac)
        grep -qnE '[[:blank:]]+$' "$f" && bad_end+=" $f"
        ;;
    esac
done <<<"$texts"
tell() {
    if [ -z "$2" ]; then
        echo "ok $1 - $3"
    else
        echo "#$2"
        echo "not ok $1 - $3"
    fi
}
[ "$n" -gt 0 ] || bad=" no shell script was seen"
tell 2 "$bad" "$n shell scripts parse"
tell 3 "$bad_py" "$n_py Python scripts parse"
tell 4 "$bad_end" "no blanks at the end of a line"
