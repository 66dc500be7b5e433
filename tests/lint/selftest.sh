#!/bin/bash
# The lint itself: a small tree with one sin of each kind, and each must be
# found. A lint that passes everything would not be noticed otherwise.
set -u
lint=${srcdir:-.}/tests/lint
lint=$(cd "$lint" && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0
tree() {
    rm -rf "$dir"/*
    mkdir -p "$dir"/src/{base,mime,smime,store,eas,imap,sandbox,view}
    printf '## base\n- `err`: x\n## mime\n- `part`: x\n' >"$dir/src/README.md"
    printf '#include "base/err.h"\n' >"$dir/src/base/err.c"
    printf 'struct err;\n' >"$dir/src/base/err.h"
    printf '#include "base/err.h"\n' >"$dir/src/mime/part.c"
    printf '#!/bin/bash\ntrue\n' >"$dir/run.sh"
}
# wants NAME SCRIPT TEST-NUMBER ok|'not ok': what a lint says of the tree
wants() {
    n=$((n + 1))
    local out
    out=$(srcdir=$dir builddir=$dir "$lint/$2" 2>&1)
    if grep -qE "^$4 $3 " <<<"$out"; then
        echo "ok $n - $1"
    else
        sed 's/^/#   /' <<<"$out"
        echo "not ok $n - $1"
    fi
}
# sin NAME SCRIPT TEST-NUMBER FILE LINE...: the tree with FILE added
sin() {
    local name=$1 script=$2 k=$3 file=$4
    shift 4
    tree
    printf '%s\n' "$@" >>"$dir/$file"
    wants "$name" "$script" "$k" 'not ok'
}
clean() {
    tree
    wants "a clean tree: $1 $2" "$1" "$2" ok
}
for k in 1 2 3 4; do
    clean layers.sh $k
    clean sizes.sh $k
done
clean banned.py 1
clean banned.py 2
clean tidy.sh 1
clean tidy.sh 2
sin 'a higher room' layers.sh 1 src/base/err.c '#include "mime/part.h"'
sin 'a room beside' layers.sh 1 src/eas/x.c '#include "store/store.h"'
sin 'an unknown room' layers.sh 1 src/eas/x.c '#include "east/store.h"'
sin 'an include without its room' layers.sh 1 src/eas/x.c '#include "x.h"'
sin 'a door sees eas' layers.sh 2 src/imap/x.c '#include "eas/eas.h"'
sin 'smime sees more' layers.sh 2 src/smime/x.c '#include "loop/loop.h"'
sin 'the sandbox sees eas' layers.sh 2 src/sandbox/x.c '#include "eas/eas.h"'
sin 'a library elsewhere' layers.sh 3 src/eas/x.c '#include <curl/curl.h>'
sin 'libetpan elsewhere' layers.sh 3 src/view/x.c \
    '# include <libetpan/libetpan.h>'
sin 'jansson in a header' layers.sh 3 src/smime/x.h '#include <jansson.h>'
sin 'CMS elsewhere' layers.sh 3 src/view/x.c '#include <openssl/cms.h>'
sin 'a private header' layers.sh 4 src/view/x.c '#include "mime/private.h"'
tree
echo '#include <sqlite3.h>' >"$dir/src/store/db.h"
echo '#include "store/db.h"' >"$dir/src/view/x.c"
wants 'a library shown to others' layers.sh 4 'not ok'
sin 'a long file' sizes.sh 1 src/base/err.c "$(yes 'int x;' | head -701)"
sin 'a long line' sizes.sh 2 src/base/err.c "$(printf '%0120d' 0)"
sin 'a file that is not in the map' sizes.sh 3 src/mime/lost.c 'int x;'
sin 'a map of what is not there' sizes.sh 4 src/README.md '- `gone.c`: x'
for f in 'strcpy(a, b)' 'sprintf (a, b)' 'gets(a)' 'strcat(a, b)' \
    'sscanf(a, "%s", b)' 'atoi(a)' 'malloc(3)' 'localtime(&t)'; do
    sin "banned: $f" banned.py 1 src/mime/part.c "x = $f;"
done
tree
echo '/* strcpy(a, b) */ char *s = "gets(x)"; xmalloc(3); a->free(b);' \
    >>"$dir/src/mime/part.c"
wants 'words in comments and strings' banned.py 1 ok
for f in 'curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L)' \
    'curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 1L)' \
    'CMS_verify(a, b, c, d, e, CMS_NO_CONTENT_VERIFY)' \
    'CMS_decrypt(a, k, NULL, NULL, out, 0)' \
    'CMS_decrypt_set1_pkey(cms, key, NULL)' \
    'CMS_decrypt(a, k, c, NULL, out, CMS_DEBUG_DECRYPT)' \
    'SSL_CTX_set_verify(x, SSL_VERIFY_NONE, NULL)'; do
    sin "banned: $f" banned.py 2 src/mime/part.c "x = $f;"
done
tree
echo 'curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);' >>"$dir/src/mime/part.c"
wants 'verification asked for' banned.py 2 ok
sin 'a path of ours' tidy.sh 1 src/base/err.c "/* see /wo""rk/main/x */"
sin 'a script that does not parse' tidy.sh 2 run.sh 'if true; then'
sin 'Python that does not parse' tidy.sh 3 run.py 'def x(:'
sin 'a blank at the end' tidy.sh 4 src/base/err.c 'int x; '
echo "1..$n"
