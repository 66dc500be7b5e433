#!/bin/bash
# A setting that is accepted must be obeyed: every field of struct settings and
# struct settings_account is read somewhere outside of room settings. What is
# still to be read by a room that is under way stands in the list below with
# that room; an empty list is the aim.
set -u
src=${srcdir:-.}/src
waiting="
cache_size:sync vanished_keep:imap expunge:imap append:imap append_wait:imap
draft_wait:sync junk_folder:imap archive_folder:imap bare_newline:smtp
max_message_size:smtp max_recipients:smtp max_messages_per_minute:smtp
max_sessions:account control:daemon control_group:daemon
tls_certificate:daemon tls_key:daemon log_level:daemon log_addresses:daemon
listen:daemon n_listen:daemon max_imap_clients:daemon max_smtp_clients:daemon
max_clients_per_host:daemon imap_timeout:imap smtp_timeout:smtp
login_timeout:imap crypto_threads:daemon max_append_memory:daemon
"
fields=$(awk '
    /^struct settings_account \{/ || /^struct settings \{/ { inside = 1; next }
    /^\}/ { inside = 0 }
    inside {
        gsub(/\/\*.*\*\//, ""); sub(/\/\*.*/, "")
        if (!/;/) next
        sub(/;.*/, ""); n = split($0, part, ",")
        for (i = 1; i <= n; i++) {
            k = split(part[i], word, /[ *]+/)
            print word[k]
        }
    }' "$src/settings/settings.h")
all=$(find "$src" -name '*.c' -not -path '*/settings/*' -exec cat {} +)
bad=0 left="" n=0
for f in $fields; do
    n=$((n + 1))
    grep -qE -- "(->|\.)$f\b" <<<"$all" && continue
    if grep -qE "(^|[[:space:]])$f:" <<<"$waiting"; then
        left="$left $f"
    else
        echo "# $f is accepted, but no room reads it"
        bad=$((bad + 1))
    fi
done
echo 1..1
echo "# $n fields, not read yet:${left:- none}"
if [ "$bad" = 0 ] && [ "$n" -gt 50 ]; then
    echo "ok 1 - every setting is read"
else
    echo "not ok 1 - every setting is read"
fi
