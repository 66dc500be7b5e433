"""What the suites of tests/bench measure with: memory, CPU, medians, rows."""
import os
import statistics
import time


class Row:
    """ours against the peer's; ratio above 1 is better than the peer.
    wanted: the ratio of SPEC section 15, or None. peer None: nothing ran
    beside, and peer_is says why."""

    def __init__(self, what, ours, peer, peer_is, more=False, wanted=None):
        self.what = what
        self.ours = ours
        self.peer = peer
        self.peer_is = peer_is
        self.more = more
        self.wanted = wanted

    @property
    def ratio(self):
        if not self.peer or not self.ours:
            return None
        return self.ours / self.peer if self.more else self.peer / self.ours

    def shown(self):
        def number(x):
            return '-' if x is None else '%.*f' % (2 if abs(x) < 100 else 0, x)
        return '%-58s %9s %9s %7s %7s  %s' % (
            self.what, number(self.ours), number(self.peer),
            number(self.ratio), number(self.wanted), self.peer_is)

    def as_json(self):
        return {'what': self.what, 'ours': self.ours, 'peer': self.peer,
                'ratio': self.ratio, 'wanted': self.wanted,
                'peer_is': self.peer_is, 'more_is_better': self.more}


HEAD = '%-58s %9s %9s %7s %7s  %s' % ('what', 'ours', 'peer', 'ratio',
                                      'wanted', 'peer')


def pss_kb(pid):
    with open('/proc/%d/smaps_rollup' % pid) as f:
        return next(int(l.split()[1]) for l in f if l.startswith('Pss:'))


def peak_kb(pid):
    with open('/proc/%d/status' % pid) as f:
        return next(int(l.split()[1]) for l in f if l.startswith('VmHWM:'))


def cpu_s(pid):
    """Of all its threads that live, to the nanosecond."""
    total = 0
    for task in os.listdir('/proc/%d/task' % pid):
        try:
            with open('/proc/%d/task/%s/schedstat' % (pid, task)) as f:
                total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def family(pid):
    """A process and those that it started."""
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            below = [int(x) for x in f.read().split()]
    except OSError:
        below = []
    return [pid] + [p for b in below for p in family(b)]


def family_cpu(pid):
    total = 0
    for p in family(pid):
        try:
            total += cpu_s(p)
        except OSError:
            pass
    return total


def family_pss_kb(pid):
    return sum(pss_kb(p) for p in family(pid))


def timed(what):
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def median(list_):
    return statistics.median(list_)


def interleaved(count, ours, peer, warm=1):
    """Medians of both, run in turns; the first turns do not count."""
    a, b = [], []
    for turn in range(count + warm):
        one, other = ours(), peer() if peer else None
        if turn >= warm:
            a.append(one)
            b.append(other)
    return median(a), median(b) if peer else None
