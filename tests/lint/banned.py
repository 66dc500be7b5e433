#!/usr/bin/python3
"""Functions and options that must not be used, looked for in the sources with
comments and strings blanked. Prints TAP."""
import os
import re
import sys

TOP = os.environ.get("srcdir", ".")

# Pattern, why, files that may (relative to the tree).
FUNCTIONS = [
    (r"\b(strcpy|strcat|stpcpy|sprintf|vsprintf|gets)\s*\(",
     "knows no limit", ()),
    (r"\b(strncpy|strncat)\s*\(", "ends without a NUL or counts wrongly", ()),
    (r"\b(strtok|localtime|gmtime|ctime|asctime|setlocale|rand|random)\s*\(",
     "hidden state, or not for threads", ()),
    (r"\b(atoi|atol|atoll|atof)\s*\(", "overflow is not noticed", ()),
    (r"\b(tmpnam|tempnam|mktemp)\s*\(", "a race", ()),
    (r"\b(system|popen)\s*\(", "a shell; loop/child runs commands", ()),
    (r"\b(alloca|setjmp|longjmp|vfork)\s*\(", "not here", ()),
    (r"(?<![\w.>])(malloc|calloc|realloc|strdup|strndup)\s*\(",
     "base/mem never fails", ("src/base/mem.c",)),
    (r"(?<![\w.>])(signal|sleep|usleep|nanosleep)\s*\(",
     "waiting and signals belong to the loop", ("src/base/", "src/loop/", "src/secrets/",
                                                   "src/daemon/", "src/ctl/")),
]

# These are judged with the whole call in one line.
OPTIONS = [
    (r"CURLOPT_(PROXY_)?SSL_VERIFYPEER\s*,(?!\s*1L?\s*\))",
     "the server is always verified"),
    (r"CURLOPT_(PROXY_)?SSL_VERIFYHOST\s*,(?!\s*2L?\s*\))",
     "the server's name is always verified"),
    (r"CURLOPT_(PROXY_)?SSL_OPTIONS\s*,[^)]*CURLSSLOPT_NO_REVOKE",
     "no switch of that kind"),
    (r"\bSSL_VERIFY_NONE\b", "a peer is verified or asked for nothing"),
    (r"\bCMS_NO_CONTENT_VERIFY\b", "an unverified content"),
    (r"\bCMS_NOVERIFY\b", "an unverified signature"),
    (r"\bCMS_NO_ATTR_VERIFY\b", "unverified attributes"),
    (r"\bCMS_DEBUG_DECRYPT\b", "the oracle of MMA (SMIME.md)"),
    (r"\bCMS_decrypt\s*\([^,]*,[^,]*,\s*NULL\b",
     "CMS_decrypt without certificate: the oracle of MMA"),
    (r"\bCMS_decrypt_set1_pkey\s*\([^,]*,[^,]*,\s*NULL\b",
     "a key without its certificate: the oracle of MMA"),
    (r"\bSSL_CTX_set_(info|keylog)_callback\s*\(", "writes session keys"),
    (r"\bEVP_(md4|md5|rc4|des_ecb|des_cbc|rc2_\w+)\s*\(", "broken"),
]


# A conversion into memory without a width, looked for inside strings too.
SCANF = re.compile(r"scanf\s*\([^;]*\"[^\"\n;]*%(?:s|\[)")


def blank(text):
    """Comments and strings as spaces, line for line."""
    pattern = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\""
                         r"|'(?:\\.|[^'\\\n])*'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def sources():
    for top in ("src",):
        for path, dirs, names in os.walk(os.path.join(TOP, top)):
            dirs.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    full = os.path.join(path, name)
                    yield os.path.relpath(full, TOP), full


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def main():
    bad = {1: [], 2: []}
    n = 0
    for name, full in sources():
        n += 1
        with open(full, encoding="utf-8") as f:
            raw = f.read()
        text = blank(raw)
        for m in SCANF.finditer(raw):
            bad[1].append("%s:%d: scanf without a width" % (
                name, line_of(raw, m.start())))
        for pattern, why, may in FUNCTIONS:
            if any(name.startswith(m) for m in may):
                continue
            for m in re.finditer(pattern, text):
                bad[1].append("%s:%d: %s: %s" % (
                    name, line_of(text, m.start()), m.group(1), why))
        for pattern, why in OPTIONS:
            for m in re.finditer(pattern, text):
                bad[2].append("%s:%d: %s: %s" % (
                    name, line_of(text, m.start()),
                    " ".join(m.group().split()), why))
    print("1..2")
    if not n:
        bad[1].append("nothing was read")
    for k, what in ((1, "no banned function"), (2, "no banned option")):
        for line in bad[k]:
            print("# " + line)
        print("%sok %d - %s" % ("not " if bad[k] else "", k, what))


if __name__ == "__main__":
    sys.exit(main())
