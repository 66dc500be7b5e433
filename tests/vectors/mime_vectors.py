#!/usr/bin/python3
"""The MIME messages of other people through `sealpostctl mime --json`: the
tree against the one that MANIFEST.md tells, sizes and parts against Python's
email package, BODYSTRUCTURE and ENVELOPE read back as IMAP. The messages stay
outside the repository; what we read otherwise, and why, stands in
tests/data/mime/expected-differences.tsv. Some messages of our own are always
run."""
import base64
import email
import email.policy
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vectorlib import (SHARED, SRC, Tap, ctl_json, failures_load,  # noqa: E402
                       workdir)

OWN = os.path.join(SRC, "tests", "data", "mime")


# ---- IMAP text

class Imap:
    """Lists, strings, literals, numbers, NIL (RFC 3501 section 9)."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def read(self):
        c = self.data[self.at:self.at + 1]
        if c == b"(":
            return self.read_list()
        if c == b'"':
            return self.read_quoted()
        if c == b"{":
            m = re.compile(rb"\{(\d+)\}\r\n").match(self.data, self.at)
            self.at = m.end() + int(m.group(1))
            return self.data[m.end():self.at]
        m = re.compile(rb"NIL|\d+").match(self.data, self.at)
        if not m:
            raise ValueError(f"no IMAP at {self.at}: "
                             f"{self.data[self.at:self.at + 20]!r}")
        self.at = m.end()
        return None if m.group() == b"NIL" else int(m.group())

    def read_list(self):
        out = []
        self.at += 1
        while self.data[self.at:self.at + 1] != b")":
            if self.data[self.at:self.at + 1] == b" ":
                self.at += 1
            out.append(self.read())
        self.at += 1
        return out

    def read_quoted(self):
        m = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(self.data,
                                                              self.at)
        if not m:
            raise ValueError("no quoted string")
        self.at = m.end()
        return re.sub(rb"\\(.)", rb"\1", m.group(1))


def imap(o, key):
    """The member, from its very bytes where JSON could not hold them."""
    coded = o.get(key + "_base64")
    reader = Imap(base64.b64decode(coded) if coded else o[key].encode())
    value = reader.read()
    if reader.at != len(reader.data):
        raise ValueError("something behind the end")
    return value


def structure_tree(s):
    """A BODYSTRUCTURE as (type, octets, parts)."""
    if isinstance(s[0], list):
        n = 0
        while n < len(s) and isinstance(s[n], list):
            n += 1
        return (f"multipart/{s[n].decode().lower()}", None,
                [structure_tree(x) for x in s[:n]])
    kind = f"{s[0].decode().lower()}/{s[1].decode().lower()}"
    inner = []
    if kind in ("message/rfc822", "message/global") and len(s) > 8 and \
            isinstance(s[7], list):
        if len(s[7]) != 10:
            raise ValueError("an ENVELOPE inside has not ten members")
        inner = [structure_tree(s[8])]
    return (kind, s[6], inner)


def our_tree(t):
    parts = [our_tree(p) for p in t["parts"]]
    return (t["type"], None if t["type"].startswith("multipart/") and parts
            else t["size"], parts)


# ---- the tree as MANIFEST.md writes it

def told(text):
    """What MANIFEST.md tells, cut off where it is cut."""
    return text.split(";")[0].strip()


def tell(t, python):
    """A tree in that form. A multipart that was not split has the name it
    declared; what Python splits and IMAP does not stays one part."""
    name = t["type"]
    if "broken" in t["flags"] or "opaque" in t["flags"]:
        name = t["declared"] or name
    parts = [tell(p, python) for p in t["parts"]]
    return f"{name}({', '.join(parts)})" if parts else name


def python_tree(m, limit=None):
    kind = m.get_content_type()
    parts = []
    if m.is_multipart() and (kind.startswith("multipart/") or
                             kind in ("message/rfc822", "message/global")):
        parts = [python_tree(p) for p in m.get_payload()]
    del limit
    return f"{kind}({', '.join(parts)})" if parts else kind


# IMAP and Python cut these differently; each is judged as it stands.
def plain(tree):
    """Without what is inside message/* but rfc822 (IMAP knows no parts
    there)."""
    out = tree
    while True:
        new = re.sub(r"(message/(?!rfc822|global)[a-z0-9.-]+)\([^()]*\)",
                     r"\1", out)
        if new == out:
            return out
        out = new


def manifest_trees(path):
    """"mime/kde/html.mbox": "text/html", from the tables."""
    out = {}
    folder = None
    with open(path, encoding="utf-8") as f:
        for line in f:
            m = re.match(r"### (mime/\S+)", line)
            if m or line.startswith("## "):
                folder = m and m.group(1)
            m = re.match(r"\| `([^`]+)` \| (.*) \|$", line)
            if folder and m:
                out[f"{folder}/{m.group(1)}"] = told(m.group(2))
    return out


def fits(want, got):
    """The manifest cuts long trees with an ellipsis."""
    if "…" not in want:
        return plain(want) == plain(got)
    return plain(got).startswith(plain(want).split("…")[0].rstrip(", "))


# ---- one message

def crlf(data):
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def leaves(t):
    if t["parts"]:
        return [x for p in t["parts"] for x in leaves(p)]
    return [t]


def python_leaves(m):
    if m.is_multipart() and m.get_content_type().split("/")[0] in (
            "multipart", "message") and m.get_content_type() in (
                "message/rfc822", "message/global") or m.is_multipart() and \
            m.get_content_maintype() == "multipart":
        return [x for p in m.get_payload() for x in python_leaves(p)]
    return [m]


def same_bytes(o, data, mail):
    """Each leaf's bytes, where Python sees as many as we do."""
    ours, theirs = leaves(o["tree"]), python_leaves(mail)
    wrongs = []
    if len(ours) != len(theirs):
        return wrongs
    for a, b in zip(ours, theirs):
        payload = b.get_payload()
        if not isinstance(payload, str) or a["flags"]:
            continue
        # compat32 turns 8-bit text around; the message's own bytes do not.
        want = crlf(b._payload.encode("ascii", "surrogateescape"))
        got = data[a["body"]:a["end"]]
        if want.rstrip(b"\r\n") != got.rstrip(b"\r\n"):
            wrongs.append(f"part {a['section']} has {len(got)} bytes that "
                          f"Python reads otherwise ({len(want)})")
    return wrongs


def ranges(t, data, top):
    """Parts lie in their parents, in order, and lines are counted."""
    wrongs = []
    if not t["head"] <= t["body"] <= t["end"] <= len(data):
        wrongs.append(f"part {t['section']} has ranges out of order")
    body = data[t["body"]:t["end"]]
    lines = body.count(b"\n") + (body[-1:] not in (b"\n", b""))
    if t["lines"] != lines or t["size"] != len(body):
        wrongs.append(f"part {t['section']}: {t['lines']} lines, "
                      f"{t['size']} bytes, not {lines}, {len(body)}")
    last = t["body"]
    for p in t["parts"]:
        if p["head"] < last or p["end"] > t["end"]:
            wrongs.append(f"part {p['section']} is not inside, in order")
        last = p["end"]
        wrongs += ranges(p, data, False)
    del top
    return wrongs


def envelope(o, data, mail):
    """Ten members; Subject and Message-ID as they stand, unfolded."""
    e = imap(o, "envelope")
    if len(e) != 10:
        return [f"ENVELOPE has {len(e)} members"]
    wrongs = []
    head = data[:o["header_size"]]
    for at, name in ((1, "subject"), (9, "message-id"), (8, "in-reply-to")):
        m = re.search(rb"(?im)^" + name.encode() +
                      rb"[ \t]*:((?:.*\r\n[ \t])*.*)\r\n", head)
        want = re.sub(rb"\r\n", b"", m.group(1)).strip() if m else None
        if want is None or not want.isascii() or b"\0" in want:
            continue
        if (e[at] or b"") != want:
            wrongs.append(f"ENVELOPE has {name} {e[at]!r}, not {want!r}")
    del mail
    return wrongs


def run(path, want, mbox):
    with open(path, "rb") as f:
        raw = f.read()
    with workdir() as tmp:
        if mbox and raw.startswith(b"From "):
            raw = raw[raw.index(b"\n") + 1:]
            path = os.path.join(tmp, "message")
            with open(path, "wb") as f:
                f.write(raw)
        try:
            o = ctl_json("mime", path)
        except RuntimeError as e:
            return [str(e)]
    data = crlf(raw)
    mail = email.message_from_bytes(data, policy=email.policy.compat32)
    wrongs = []
    if o["size"] != len(data):
        wrongs.append(f"RFC822.SIZE {o['size']}, not {len(data)}")
    if want is not None and not fits(want, tell(o["tree"], False)):
        wrongs.append(f"the tree is {tell(o['tree'], False)}, not {want}")
    theirs = python_tree(mail)
    if want is None and plain(theirs) != plain(tell(o["tree"], False)):
        wrongs.append(f"the tree is {tell(o['tree'], False)}, "
                      f"Python's {theirs}")
    try:
        ours = our_tree(o["tree"])
        read = structure_tree(imap(o, "bodystructure"))
        if read != ours:
            wrongs.append(f"BODYSTRUCTURE tells {read}, the tree {ours}")
        wrongs += envelope(o, data, mail)
        imap(o, "body")
    except (ValueError, AttributeError, TypeError, IndexError) as e:
        wrongs.append(f"no IMAP: {e}")
    return wrongs + ranges(o["tree"], data, True) + same_bytes(o, data, mail)


def main():
    tap = Tap(failures_load(os.path.join(OWN, "expected-differences.tsv")))
    own = sorted(n for n in os.listdir(OWN) if n.endswith(".eml"))
    for name in own:
        tap.result(f"own/{name}", run(os.path.join(OWN, name), None, False))
    tap.unmet(lambda name: name.startswith("own/"))
    manifest = os.path.join(SHARED, "MANIFEST.md")
    if os.path.isfile(manifest):
        for name, tree in manifest_trees(manifest).items():
            path = os.path.join(SHARED, name)
            if os.path.isfile(path):
                tap.result(name, run(path, tree, True))
            else:
                tap.result_plain(f"{name} is there", False)
        tap.unmet(lambda name: not name.startswith("own/"))
    else:
        tap.skip("the MIME messages of others",
                 "they are not beside the tree (SEALPOST_SHARED)")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
