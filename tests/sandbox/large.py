#!/usr/bin/python3
"""A mailbox of 50,000 messages at the sandbox: start, first listing, single
changes, a restart. Bounds are in CPU seconds and memory, which the load of the
machine does not change; the clock is told only. A stage of tests/ci.

    large.py [COUNT]
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'lab'))
import tap                                              # noqa: E402
import wbxml                                            # noqa: E402
from easclient import Sandbox                           # noqa: E402
from tap import same                                    # noqa: E402

ALICE = 'alice@example.test'
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 50000
MAIL = (b'From: Bob <bob%d@example.test>\r\nTo: alice@example.test\r\n'
        b'Subject: number %d\r\nMessage-ID: <%d@large.test>\r\n'
        b'Date: Mon, 02 Mar 2026 08:15:30 +0000\r\n\r\nsome text\r\n')
test = tap.Tests()


def cpu(box):
    with open('/proc/%d/stat' % box.process.pid) as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def memory_mb(box):
    with open('/proc/%d/status' % box.process.pid) as f:
        for line in f:
            if line.startswith('VmHWM'):
                return int(line.split()[1]) / 1024
    raise AssertionError('no VmHWM')


class Measure:
    def __init__(self, box, what, most):
        self.box, self.what, self.most = box, what, most

    def __enter__(self):
        self.clock, self.cpu = time.monotonic(), cpu(self.box)

    def __exit__(self, kind, *_):
        if kind:
            return
        used = cpu(self.box) - self.cpu
        print('# %s: %.2f s of CPU, %.2f s by the clock' % (
            self.what, used, time.monotonic() - self.clock))
        assert used < self.most, '%s took %.2f s' % (self.what, used)


def fill(box):
    place = os.path.join(box.root, ALICE, 'INBOX')
    for sub in ('cur', 'new', 'tmp'):
        os.makedirs(os.path.join(place, sub))
    for i in range(COUNT):
        path = os.path.join(place, 'cur', '%d.M%d.large:2,S'
                            % (1600000000 + i, i))
        with open(path, 'wb') as f:
            f.write(MAIL % (i, i, i))
        os.utime(path, (1600000000 + i,) * 2)


@test
def the_first_start(box):
    begun = time.monotonic()
    box.start()
    print('# first start: %.2f s of CPU, %.2f s by the clock' % (
        cpu(box), time.monotonic() - begun))
    assert cpu(box) < 10, cpu(box)


@test
def the_first_listing(box):
    c = box.client(ALICE, device='LARGE1')
    box.inbox = c.folders()['Inbox']
    key, seen = c.prime(box.inbox), 0
    with Measure(box, 'first listing', 5):
        while True:
            answer = wbxml.decode(c.raw('Sync', wbxml.encode(
                '<Sync><Collections><Collection><SyncKey>%s</SyncKey>'
                '<CollectionId>%s</CollectionId><WindowSize>512</WindowSize>'
                '<Options>%s</Options></Collection></Collections></Sync>'
                % (key, box.inbox, c.LIST)))).find('Collections/Collection')
            key = answer.value('SyncKey')
            seen += len(answer.findall('Commands/Add'))
            if answer.find('MoreAvailable') is None:
                break
    same(seen, COUNT)
    box.key = key


@test
def single_changes(box):
    c = box.client(ALICE, device='LARGE1')
    new = box.inject(ALICE, MAIL % (1, 1, 1))
    with Measure(box, '50 changes one by one', 2):
        for i in range(1, 51):
            answer = c.sync(box.inbox, box.key, commands=(
                '<Change><ServerId>%s:%d</ServerId><ApplicationData>'
                '<email:Read>0</email:Read></ApplicationData></Change>'
                % (box.inbox, i)))
            same(answer.find('Responses'), None)
            box.key = answer.value('SyncKey')
            if i == 1:
                same(answer.value('Commands/Add/ServerId'), new)


@test
def mail_comes_by_the_thousand(box):
    """More at once than inotify may hold."""
    place = os.path.join(box.root, ALICE, 'INBOX')
    more = min(COUNT, 20000)
    with Measure(box, '%d files dropped in' % more, 10):
        for i in range(more):
            name = 'drop%d' % i
            with open(os.path.join(place, 'tmp', name), 'wb') as f:
                f.write(MAIL % (i, i, i))
            os.rename(os.path.join(place, 'tmp', name),
                      os.path.join(place, 'new', name))
        end = time.monotonic() + 120
        while ('"messages":%d' % (COUNT + 1 + more)) not in box.ask(
                'GET', '/folders?user=' + ALICE)[1]:
            assert time.monotonic() < end, 'not all of it is seen'
            time.sleep(0.2)


@test
def a_restart(box):
    begun = time.monotonic()
    same(box.stop(), 0)
    box.start()
    print('# second start: %.2f s of CPU, %.2f s by the clock' % (
        cpu(box), time.monotonic() - begun))
    assert cpu(box) < 5, cpu(box)
    c = box.client(ALICE, device='LARGE1')
    assert c.sync(box.inbox, box.key).find('Commands/Add') is not None


@test
def memory_stays_small(box):
    print('# memory at most: %.0f MB' % memory_mb(box))
    assert memory_mb(box) < 40 + COUNT / 400, memory_mb(box)


if __name__ == '__main__':
    sandbox = Sandbox({ALICE: 'secret-alice'})
    fill(sandbox)
    try:
        failed = test.run(sandbox)
        failed = sandbox.stop() or failed
    finally:
        sandbox.__exit__()
    sys.exit(failed)
