#!/usr/bin/python3
"""The S/MIME vectors through `sealpostctl smime open --json`, judged by
expected.tsv: ours always, those of others where they are. What is not yet
right stands in expected-failures.tsv with the reason."""
import base64
import email
import email.header
import email.policy
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vectorlib import (OWN, SHARED, Tap, ctl_json, failures_load,  # noqa: E402
                       workdir)

ID = "vectors.example"


class Vector:
    """One line of expected.tsv."""

    def __init__(self, line, base, tmp):
        cells = line.split("\t") + ["-"] * 9
        (self.file, self.trust, self.keys, self.at, self.encrypted,
         self.decrypted, self.smime, self.headers, self.note) = cells[:9]
        self.base = base
        self.tmp = tmp
        self.n = 0

    def path(self, name):
        return os.path.join(self.base, name)

    def temporary(self, data):
        self.n += 1
        path = os.path.join(self.tmp, f"file{self.n}")
        with open(path, "wb") as f:
            f.write(data)
        return path

    def pem(self, name, label):
        """The file, or a copy in PEM where it is DER."""
        with open(self.path(name), "rb") as f:
            data = f.read()
        if b"-----BEGIN" in data:
            return self.path(name)
        return self.temporary(
            f"-----BEGIN {label}-----\n".encode() +
            base64.encodebytes(data) + f"-----END {label}-----\n".encode())

    def message(self):
        """Bare CMS is judged as if it stood in application/pkcs7-mime."""
        with open(self.path(self.file), "rb") as f:
            data = f.read()
        if self.note.startswith("mbox"):
            return self.temporary(data[data.index(b"\n") + 1:])
        if not self.note.startswith("raw"):
            return self.path(self.file)
        if data.startswith(b"-----BEGIN"):
            lines = data.split(b"\n")
            end = [i for i, s in enumerate(lines) if s.startswith(b"-----END")]
            data = base64.b64decode(b"".join(lines[1:end[0]]))
        return self.temporary(
            b"MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" +
            base64.encodebytes(data).replace(b"\n", b"\r\n"))

    def arguments(self):
        args = ["smime", "open", self.message(), "--authserv-id", ID]
        trust = [] if self.trust == "-" else self.trust.split(" ")
        for name in trust or [None]:
            # Nobody is trusted: an anchor that signed nothing.
            args += ["--trust", self.path(name) if name else NOBODY]
        for key in [] if self.keys == "-" else self.keys.split(" "):
            if "#" in key:
                name, password = key.split("#", 1)
                args += ["--key", self.path(name), "--password-file",
                         self.temporary(password.encode() + b"\n")]
            else:
                name, cert = key.split(":", 1)
                args += ["--key", self.pem(name, "PRIVATE KEY"),
                         "--cert", self.pem(cert, "CERTIFICATE")]
        if self.at not in ("now", "-"):
            args += ["--at", self.at]
        return args


# An end entity's certificate is no anchor of anybody else.
NOBODY = os.path.join(OWN, "generated", "pki", "certs", "erin-expired.crt")


def yes(value):
    return "yes" if value else "no"


def compare(v, o, shown):
    """What differs from the line of the table."""
    wrongs = []
    if v.encrypted != "-" and yes(o["encrypted"]) != v.encrypted:
        wrongs.append(f"encrypted is {yes(o['encrypted'])}")
    if v.decrypted != "-" and yes(o["decrypted"]) != v.decrypted:
        wrongs.append(f"decrypted is {yes(o['decrypted'])}")
    if o["smime"] not in v.smime.split("|"):
        wrongs.append(f"smime is {o['smime']} ({o['reason']}), "
                      f"not {v.smime}")
    if v.headers != "-":
        name, want = v.headers.split("=", 1)
        got = o["headers"].get(name.lower())
        if got != want:
            wrongs.append(f"{name} is {got!r}, not {want!r}")
        wrongs += compare_shown(shown, name, want)
    return wrongs + compare_object(v, o) + compare_verdict(o, shown)


def compare_object(v, o):
    """The object is whole and says one thing only."""
    wrongs = []
    keys = {"encrypted", "decrypted", "smime", "reason", "signer", "layers",
            "headers", "harvest"}
    if set(o) != keys:
        wrongs.append(f"members are {sorted(o)}")
    if o["decrypted"] and not o["encrypted"]:
        wrongs.append("decrypted, but not encrypted")
    if o["smime"] == "pass" and not (o["signer"] and o["signer"]["address"]):
        wrongs.append("pass without a signer")
    if o["smime"] == "none" and any(k["signers"] for k in o["layers"]):
        wrongs.append("none, with signers")
    if o["harvest"] and o["smime"] != "pass":
        wrongs.append("harvest without pass")
    encrypted = any("enveloped" in k["type"].lower() for k in o["layers"])
    if encrypted != o["encrypted"]:
        wrongs.append("encrypted and layers do not agree")
    del v
    return wrongs


def compare_shown(shown, name, want):
    """The field that a reader sees, decoded by Python, exactly once."""
    got = [str(email.header.make_header(email.header.decode_header(x)))
           for x in shown.get_all(name, [])]
    got = [" ".join(x.split()) for x in got]
    if got != [" ".join(want.split())]:
        return [f"the written message has {name} {got!r}, not {want!r}"]
    return []


def compare_verdict(o, shown):
    """Our field is the topmost one, says the same, and nobody else's claims
    our name."""
    fields = shown.get_all("authentication-results", [])
    ours = [f for f in fields if f.split(";")[0].strip() == ID]
    if list(shown.keys())[:1] != ["Authentication-Results"] or \
            len(ours) != 1 or ours[0] != fields[0]:
        return ["Authentication-Results of ours is not the topmost field, "
                "once"]
    if f"smime={o['smime']}" not in " ".join(ours[0].split()).split(" "):
        return [f"Authentication-Results says {ours[0]!r}"]
    return []


def run(v):
    out = os.path.join(v.tmp, "shown.eml")
    try:
        o = ctl_json(*v.arguments(), "--out", out)
    except (RuntimeError, OSError) as e:
        return [str(e)]
    with open(out, "rb") as f:
        shown = email.message_from_bytes(f.read(),
                                         policy=email.policy.compat32)
    return compare(v, o, shown)


def table(tap, base, keep):
    with open(os.path.join(base, "expected.tsv"), encoding="utf-8") as f:
        lines = f.read().split("\n")[1:]
    for line in lines:
        if not line or not keep(line.split("\t")[0]):
            continue
        with workdir() as tmp:
            v = Vector(line, base, tmp)
            # The key files of the table have no message in them.
            if not v.note.startswith("p12"):
                tap.result(v.file, run(v))


def is_own(name):
    return name.startswith("generated/")


def main():
    tap = Tap(failures_load(os.path.join(OWN, "expected-failures.tsv")))
    table(tap, OWN, is_own)
    tap.unmet(is_own)
    if os.path.isfile(os.path.join(SHARED, "expected.tsv")):
        table(tap, SHARED, lambda name: not is_own(name))
        tap.unmet(lambda name: not is_own(name))
    else:
        tap.skip("the S/MIME vectors of others",
                 "they are not beside the tree (SEALPOST_SHARED)")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
