#!/usr/bin/python3
"""That tests/bench/run works at all, few and small; no figure is judged but
that there is one in each row."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SUITES = ('listing', 'push')


def main():
    print('1..%d' % len(SUITES), flush=True)
    bad = 0
    for n, suite in enumerate(SUITES, 1):
        with tempfile.NamedTemporaryFile(suffix='.json') as out:
            p = subprocess.run([sys.executable, os.path.join(HERE, 'run'),
                                suite, '--quick', '--json', out.name],
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=100)
            rows = json.load(out)['rows'] if p.returncode == 0 else []
        ok = len(rows) > 1 and all(r['ours'] is not None for r in rows)
        bad += not ok
        print('%sok %d - tests/bench/run %s --quick: %d rows'
              % ('' if ok else 'not ', n, suite, len(rows)))
        if not ok:
            for line in p.stdout.decode(errors='replace').splitlines():
                print('#', line)
        sys.stdout.flush()
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
