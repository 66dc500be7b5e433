#!/bin/bash
# Every command and every option that sealpostctl knows stands in its manual,
# and the manual names no other command.
set -u
ctl=$builddir/sealpostctl
page=$srcdir/doc/sealpostctl.1
text=$(sed -e 's/\\-/-/g; s/\\f[A-Z]//g' "$page")
commands=$("$ctl" --help | sed -n '/^  [a-z]/{s/^  //;s/  .*//;s/ [A-Z[].*//;p}')
echo 1..3

missing= unknown= options=
while read -r name; do
    grep -qE "^\.(B|BI|BR) \"?$name( ?\"|\$| )" <<<"$text" ||
        missing+="# $name is not in the manual"$'\n'
    while read -r option; do
        grep -qF -e "$option" <<<"$text" ||
            options+="# $name $option is not in the manual"$'\n'
    done < <("$ctl" $name --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
done <<<"$commands"
while read -r line; do
    grep -qxF -e "$line" <<<"$commands" ||
        unknown+="# the manual has $line, which is no command"$'\n'
done < <(grep -A1 '^\.TP' <<<"$text" |
    sed -nE 's/^\.B(I|R)? "?((account|config|folder|queue|key|cert|smime) [a-z]+|status|reload|oof|policy|mime|wbxml)( .*|"?$)/\2/p')
tell() {
    if [ -n "$2" ]; then
        printf '%snot ok %s\n' "$2" "$1"
    else
        echo "ok $1"
    fi
}
[ "$(wc -l <<<"$commands")" -gt 20 ] || missing="# few commands are told"$'\n'
tell "1 - commands are in the manual" "$missing"
tell "2 - options are in the manual" "$options"
tell "3 - the manual knows no other command" "$unknown"
