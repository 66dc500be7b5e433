#!/bin/bash
# The order of the rooms, read from the includes (HACKING.md, section 2): a
# room includes lower levels only, some see less still, a library belongs to
# one room, and what only a room's own files share stays in that room.
set -u
src=${srcdir:-.}/src
echo 1..4
find "$src" -name '*.[ch]' | sort | xargs awk -v top="$src/" '
BEGIN {
    level["base"] = 0
    split("settings loop mime wbxml", a); for (i in a) level[a[i]] = 1
    split("store secrets eas smime keys", b); for (i in b) level[b[i]] = 2
    level["certs"] = 3
    split("sync outbox view", c); for (i in c) level[c[i]] = 4
    level["account"] = 5
    split("imap smtp control", d); for (i in d) level[d[i]] = 6
    split("daemon ctl sandbox", f); for (i in f) level[f[i]] = 7

    # Narrower than the levels.
    only["smime"] = " base mime "
    only["sandbox"] = " base settings loop mime wbxml "
    never["imap"] = never["smtp"] = never["control"] = " eas smime keys "

    # A library and its rooms; the first pattern that fits decides.
    n = 0
    lib[++n] = "^event2?[/.]";            home[n] = " loop "
    lib[++n] = "^ev(ent|util|dns|http)";  home[n] = " loop "
    lib[++n] = "^curl/";                  home[n] = " loop "
    lib[++n] = "^libetpan/";              home[n] = " mime "
    lib[++n] = "^sqlite3";                home[n] = " store "
    lib[++n] = "^wbxml";                  home[n] = " wbxml "
    lib[++n] = "^(PCSC/|winscard|pcsclite|wintypes)"; home[n] = " keys "
    lib[++n] = "^(libp11|p11-kit|pkcs11)"; home[n] = " keys "
    lib[++n] = "^confuse";                home[n] = " settings "
    lib[++n] = "^(ldap|lber|unbound|getdns)"; home[n] = " certs "
    lib[++n] = "^libsecret";              home[n] = " secrets "
    lib[++n] = "^systemd/";               home[n] = " daemon loop base "
    n_lib = n
    crypto = " loop smime keys certs secrets "
}
FNR == 1 {
    file = substr(FILENAME, length(top) + 1)
    room = file; sub(/\/.*/, "", room)
    if (!(room in level)) bad(1, "no room of that name")
    files++
}
function bad(rule, text) {
    failed[rule] = failed[rule] "# src/" file ":" FNR ": " text "\n"
}
function library(name,    i) {
    for (i = 1; i <= n_lib; i++)
        if (name ~ lib[i]) {
            if (home[i] !~ " " room " ")
                bad(3, name " belongs to room" home[i])
            if (file ~ /\.h$/) owns[file] = name
            return
        }
    if (name ~ /^jansson/ && file ~ /\.h$/)
        bad(3, "jansson stays out of headers")
    if (name ~ /^openssl\//) {
        if (crypto !~ " " room " " && file != "store/cipher.c" &&
            name !~ /^openssl\/(evp|x509|sha)\.h$/)
            bad(3, name " stays in" crypto "and store/cipher.c")
        if (file ~ /\.h$/ && name !~ /^openssl\/(evp|x509)\.h$/)
            owns[file] = name
    }
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    name = $0; sub(/[^<]*</, "", name); sub(/>.*/, "", name)
    library(name)
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    name = $0; sub(/[^"]*"/, "", name); sub(/".*/, "", name)
    if (name == "config.h") next
    if (name !~ /^[a-z0-9]+\/[a-z0-9_]+\.h$/) {
        bad(1, "\"" name "\": an include names the room")
        next
    }
    other = name; sub(/\/.*/, "", other)
    uses++
    if (other == room) next
    if (!(other in level)) { bad(1, name ": no such room"); next }
    if (level[other] >= level[room])
        bad(1, room " (level " level[room] ") includes " name \
            " (level " level[other] ")")
    if (room in only && only[room] !~ " " other " ")
        bad(2, room " sees only" only[room] "not " name)
    if (room in never && never[room] ~ " " other " ")
        bad(2, "the door " room " never sees " name)
    if (name ~ /private\.h$/)
        bad(4, name " is private to its room")
    foreign[name] = foreign[name] "# src/" file ":" FNR ": " name "\n"
}
function tell(rule, text) {
    if (failed[rule] != "") printf "%snot ok %d - %s\n", failed[rule], rule, text
    else printf "ok %d - %s\n", rule, text
}
END {
    for (h in owns)
        if (h in foreign)
            failed[4] = failed[4] foreign[h] "#   shows <" owns[h] \
                "> to another room\n"
    if (!files || !uses) failed[1] = "# nothing was read\n"
    print "# " files " files, " uses " includes of rooms"
    tell(1, "a room includes lower levels only")
    tell(2, "the narrower rules of smime, sandbox and the doors")
    tell(3, "one library, one room")
    tell(4, "private headers and library types stay in their room")
}'
