"""TAP for Python tests.

    test = tap.Tests()
    @test
    def something(): assert ...
    test.run()
"""
import sys
import traceback


class Tests:
    def __init__(self):
        self.list = []

    def __call__(self, function):
        self.list.append(function)
        return function

    def run(self, *args):
        failed = 0
        print('1..%d' % len(self.list))
        for number, function in enumerate(self.list, 1):
            name = function.__name__.replace('_', ' ')
            try:
                function(*args)
                print('ok %d - %s' % (number, name), flush=True)
            except Exception:
                failed += 1
                print('not ok %d - %s' % (number, name))
                for line in traceback.format_exc().splitlines():
                    print('# ' + line)
                sys.stdout.flush()
        return 1 if failed else 0


def same(got, want):
    """Like assert got == want, but says both."""
    if got != want:
        raise AssertionError('got %r, want %r' % (got, want))
