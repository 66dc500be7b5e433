"""Test Anything Protocol for the end-to-end tests.

A test is a list of steps; each returns a sentence saying what was compared,
or raises. A failed step does not hide the ones after it, unless it says that
nothing can follow (Fatal).
"""
import os
import sys
import time
import traceback


class Fatal(Exception):
    """Nothing after this step makes sense."""


class Skip(Exception):
    """This step needs what the machine does not have."""


def in_ci():
    return os.environ.get('SEALPOST_CI') == '1'


def check(cond, text, *args):
    if not cond:
        raise AssertionError(text % args if args else text)


def same(got, want, what):
    if got != want:
        raise AssertionError('%s: got %s, wanted %s'
                             % (what, _short(got), _short(want)))


def _short(value):
    text = repr(value)
    return text if len(text) <= 600 else text[:400] + '...' + text[-200:]


class Tap:
    """Runs steps, prints a line each, counts."""

    def __init__(self, title):
        self.n = self.failed = self.skipped = 0
        self.began = time.time()
        self.say(title)

    @staticmethod
    def say(text):
        for line in str(text).splitlines():
            print('#', line)
        sys.stdout.flush()

    def line(self, good, name, told, directive=''):
        self.n += 1
        self.failed += not good
        told = ' '.join(str(told or '').split()).replace('#', '/')
        print('%s %d - %s%s%s' % ('ok' if good else 'not ok', self.n, name,
                                  ': ' + told if told else '', directive))
        sys.stdout.flush()

    def skip(self, name, why):
        """With SEALPOST_CI=1 what is missing is a failure."""
        if in_ci():
            self.line(False, name, why + ' (must be there in CI)')
        else:
            self.skipped += 1
            self.line(True, name, '', ' # SKIP ' + why)

    def run(self, steps, *args):
        """False when a step said that nothing can follow."""
        for step in steps:
            name = step.__name__.removeprefix('step_').replace('_', ' ')
            began = time.time()
            try:
                told = step(*args)
            except Skip as e:
                self.skip(name, str(e))
            except Exception as e:
                self.line(False, name, '%s: %s' % (type(e).__name__, e))
                self.say(''.join(traceback.format_exc()))
                if isinstance(e, (Fatal, ConnectionRefusedError)):
                    return False
            else:
                self.line(True, name, '%s (%.1f s)'
                          % (told or 'done', time.time() - began))
        return True

    def end(self):
        """Prints the plan; the exit status."""
        print('1..%d' % self.n)
        self.say('%d passed, %d failed, %d skipped, %.1f s'
                 % (self.n - self.failed - self.skipped, self.failed,
                    self.skipped, time.time() - self.began))
        return 1 if self.failed or not self.n else 0
