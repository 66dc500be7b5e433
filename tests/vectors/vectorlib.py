"""What the vector suites share: TAP lines, the places of the vectors, the
lists of expected failures, and sealpostctl itself."""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.abspath(os.environ.get("srcdir",
                                     os.path.join(HERE, "..", "..")))
BUILD = os.path.abspath(os.environ.get("builddir",
                                       os.path.join(SRC, "build")))
CTL = os.path.join(BUILD, "sealpostctl")
OWN = os.path.join(SRC, "tests", "data", "smime")
# Vectors of other people stay outside the repository: beside the source tree,
# or where SEALPOST_SHARED says.
SHARED = os.path.join(os.environ.get("SEALPOST_SHARED",
                                     os.path.join(SRC, "..", "shared")),
                      "smime", "vectors")


class Tap:
    """Lines of TAP; a listed failure that passes is a failure."""

    def __init__(self, failures):
        self.n = self.bad = self.known = 0
        self.failures = failures
        self.met = set()

    def skip(self, name, why):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {why}", flush=True)

    def result(self, name, wrongs):
        reason = self.failures.get(name)
        ok = (not wrongs) == (reason is None)
        note = ""
        self.n += 1
        if reason is not None:
            self.met.add(name)
            self.known += ok
            note = " (fails as expected)" if ok else \
                " (PASSES, but is listed as an expected failure)"
            print(f"# expected: {reason}")
        for line in wrongs:
            for part in str(line).splitlines():
                print("#", part)
        self.bad += not ok
        print(f"{'' if ok else 'not '}ok {self.n} - {name}{note}", flush=True)

    def unmet(self, among):
        """A listed failure whose file was not there to be run."""
        for name in sorted(set(self.failures) - self.met):
            if among(name):
                self.result_plain(f"{name} is listed and was run", False)

    def result_plain(self, name, ok):
        self.n += 1
        self.bad += not ok
        print(f"{'' if ok else 'not '}ok {self.n} - {name}", flush=True)

    def end(self):
        print(f"# {self.n} vectors, {self.known} fail as expected, "
              f"{self.bad} wrong")
        print(f"1..{self.n}")
        return 1 if self.bad or not self.n else 0


def failures_load(path):
    """FILE, tab, reason."""
    out = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                name, reason = line.split("\t", 1)
                assert reason.strip(), f"{path}: {name} has no reason"
                out[name] = reason
    return out


def ctl(*args, **kw):
    """Runs sealpostctl; (exit status, stdout, stderr) as bytes."""
    p = subprocess.run([CTL, *args], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                       timeout=60, check=False, **kw)
    return p.returncode, p.stdout, p.stderr


def ctl_json(*args):
    """The one object that --json prints; RuntimeError with what was said."""
    status, out, err = ctl(*args, "--json")
    if status:
        raise RuntimeError(f"exit status {status}: "
                           f"{err.decode('utf-8', 'replace').strip()}")
    if out.count(b"\n") != 1:
        raise RuntimeError("not one line of JSON")
    return json.loads(out)


def workdir():
    return tempfile.TemporaryDirectory(prefix="sealpost-vectors.")
