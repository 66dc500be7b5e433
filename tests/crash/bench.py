"""One prepared lab and the cases made with it: put back as it was, started
with a stop, started again, judged."""
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time

import leaks
import proc
from lab import CtlError, Lab
from scenarios import SCENARIOS
from servers import until

HERE = os.path.dirname(os.path.abspath(__file__))
STOPS = 'tests/stops.so'       # of stops.c, in the build folder
SYSCALLS = ('syscall', 'syscall-half')
FULL_MS = 700                  # how long the disk is full
FAULT_STATUS = 99              # what base/fault.c and stops.c end with


def make_stops():
    """Compiles stops.c."""
    target = os.path.join(proc.BUILD, STOPS)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    new = '%s.%d' % (target, os.getpid())
    subprocess.run([os.environ.get('CRASH_CC', 'cc'), '-shared', '-fPIC',
                    '-O1', '-o', new, os.path.join(HERE, 'stops.c')],
                   check=True)
    os.rename(new, target)


def has_sanitizer():
    """Its runtime must be the first library: stops.c cannot be before it."""
    with open(proc.program('sealpostd'), 'rb') as f:
        data = f.read()
    return b'__asan_init' in data or b'__tsan_init' in data


def quick_place():
    """A file system in memory, where there is room: nothing of what is
    tested needs a disk, and its flushes cost nothing."""
    try:
        v = os.statvfs('/dev/shm')
        if v.f_bavail * v.f_frsize > 256 << 20 \
                and os.access('/dev/shm', os.W_OK):
            tempfile.tempdir = '/dev/shm'
    except OSError:
        pass


def lasting_port():
    """The sandbox comes back on its port in each case. One that the system
    gave would be given to another program meanwhile, so this is one that it
    does not give by itself."""
    with open('/proc/sys/net/ipv4/ip_local_port_range') as f:
        low = int(f.read().split()[0])
    for _ in range(1000):
        port = random.randrange(max(1024, low - 8000), low)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('127.0.0.1', port))
            except OSError:
                continue
        return port
    raise RuntimeError('no free port below %d' % low)


def is_told(e):
    """A refusal that a client of a full disk may get (SPEC section 5)."""
    text = str(e)
    if os.environ.get('CRASH_TELL'):
        print('# told: %s: %s' % (type(e).__name__, text), flush=True)
    return 'UNAVAILABLE' in text or '452' in text


class Case:
    """again: the stop comes during the start after an earlier stop."""

    def __init__(self, scenario, kind, n, again=None):
        self.scenario, self.kind, self.n = scenario, kind, n
        self.again = again
        self.fired = False
        self.lost = self.doubled = self.leaked = 0
        self.detail = ''
        self.took = 0

    def good(self):
        return not (self.lost or self.doubled or self.leaked or self.detail)

    def name(self):
        return series_name(self.kind, self.again)

    def line(self):
        return '%-12s %-32s %4d  %-9s lost=%d doubled=%d leaked=%d %.1fs %s' % (
            self.scenario, self.name(), self.n,
            'fired' if self.fired else 'not-fired', self.lost, self.doubled,
            self.leaked, self.took, ' '.join(self.detail.split())[:400] or 'ok')


def series_name(kind, again):
    return '%s%s' % (kind, ' after %s:%d' % again if again else '')


# ---- put back before each case ----

def same_file(a, b):
    try:
        x, y = os.lstat(a), os.lstat(b)
    except FileNotFoundError:
        return False
    return (x.st_mtime_ns, x.st_size, x.st_mode) == \
        (y.st_mtime_ns, y.st_size, y.st_mode)


def copy_into(source, target):
    """Makes `target` the same as `source`; directories stay the same
    directories, since a copied state directory counts as another device."""
    wanted = set(os.listdir(source))
    os.makedirs(target, exist_ok=True)
    for name in os.listdir(target):
        path = os.path.join(target, name)
        is_dir = os.path.isdir(path) and not os.path.islink(path)
        if name in wanted and (
                is_dir or same_file(os.path.join(source, name), path)):
            continue
        if is_dir:
            shutil.rmtree(path)
        else:
            os.unlink(path)
    for name in wanted:
        a, b = os.path.join(source, name), os.path.join(target, name)
        if os.path.isdir(a):
            copy_into(a, b)
        elif not os.path.exists(b):
            shutil.copy2(a, b)
    shutil.copystat(source, target)


# ---- the lab, without programs started to ask something ----

class QuickLab(Lab):
    conns = None

    def status(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        try:
            s.connect(os.path.join(self.dir, 'control'))
            s.sendall(b'{"command": "status"}\n')
            data = b''
            while not data.endswith(b'\n'):
                got = s.recv(1 << 16)
                if not got:
                    raise CtlError(['status'], 1, 'no answer')
                data += got
        except OSError as e:
            raise CtlError(['status'], 1, str(e)) from e
        finally:
            s.close()
        told = json.loads(data)
        if not told['ok']:
            raise CtlError(['status'], 1, told['error'])
        return told['result']

    def wait_up(self, seconds=30):
        def asked():
            if not self.daemon.alive():
                raise RuntimeError('sealpostd ended with %s\n%s' % (
                    self.daemon.wait(1), self.daemon.tail()))
            try:
                return self.status()
            except CtlError:
                return None
        told = until(asked, seconds, 0.005)
        if not told:
            raise RuntimeError('sealpostd does not answer\n'
                               + self.daemon.tail())
        self.listeners = told['listeners']

    def start(self, env=None, wait=True, wrapper=()):
        self.hang_up()
        super().start(env, wait, wrapper)

    def session(self, user):
        """One IMAP connection for each run of the daemon."""
        if user not in self.conns:
            self.conns[user] = self.imap(user, timeout=20)
        return self.conns[user]

    def hang_up(self):
        for c in (self.conns or {}).values():
            c.close()
        self.conns = {}


class Bench:
    """Scenario after scenario, case after case."""

    def __init__(self, scenario):
        quick_place()
        # what takes its time on purpose: logging in, waiting after trouble,
        # and how long a "no" of Sent is doubted
        os.environ['SEALPOST_FAULT_LN'] = '8'
        os.environ['SEALPOST_FAULT_HURRY'] = '60'
        self.scenario = SCENARIOS[scenario]()
        self.lab = QuickLab('crash', 'sandbox:16.1')
        self.lab.server.port = lasting_port()
        self.lab.server.admin_port = lasting_port()
        self.saved = os.path.join(self.lab.dir, 'saved')
        self.log = os.path.join(self.lab.dir, 'fired')
        try:
            self.scenario.prepare(self.lab)
            self._finders()
            shown = self.leaks(lambda path: False)
            if shown:
                raise RuntimeError('readable before the first case: %s'
                                   % shown)
        except BaseException:
            self.lab.failed = True
            self.close()
            raise
        self.lab.server.stop()
        for name in ('state', 'server'):
            copy_into(os.path.join(self.lab.dir, name),
                      os.path.join(self.saved, name))

    def _finders(self):
        self.mail = leaks.Finder(self.scenario.secrets)
        self.ours = leaks.Finder(
            self.scenario.secrets
            + [self.lab.server.password(u).encode() for u in
               self.lab.passwords]
            + [p.encode() for p in self.lab.passwords.values()])

    def leaks(self, known=None):
        """Files of ours that show what is secret: the mail wherever it is,
        passwords in the state directory and in the log."""
        d = self.lab.dir
        known = known or self._as_saved
        return self.ours.files(os.path.join(d, 'state'),
                               os.path.join(d, 'daemon.log'), known=known) \
            + self.mail.files(os.path.join(d, 'server'), known=known)

    def _as_saved(self, path):
        """It was looked at before the first case."""
        return same_file(os.path.join(
            self.saved, os.path.relpath(path, self.lab.dir)), path)

    # ---- one run of the daemon with a stop ----

    def _env(self, kind, n):
        env = {'SEALPOST_FAULT_LOG': self.log}
        if kind in SYSCALLS:
            env['LD_PRELOAD'] = os.path.join(proc.BUILD, STOPS)
            env['SEALPOST_STOP'] = '%d%s' % (
                n, ':half' if kind == 'syscall-half' else '')
        else:
            env['SEALPOST_FAULT'] = '%s:%d' % (kind, n) if n else 'count'
        return env

    def _begin(self):
        for name in ('state', 'server'):
            copy_into(os.path.join(self.saved, name),
                      os.path.join(self.lab.dir, name))
        self.scenario.begin()
        self.lab.server.start()

    def _stopped(self, kind, n, work):
        """Starts it with a stop and does `work`; was the stop reached?"""
        if os.path.exists(self.log):
            os.unlink(self.log)
        lab = self.lab
        lab.start(env=self._env(kind, n), wait=False)
        try:
            lab.wait_up()
            work(lab)
            self.scenario.settle(lab)
        except Exception:
            if lab.daemon.wait(0.5) is None:
                raise
        fired = n and os.path.exists(self.log)
        status = lab.daemon.wait(5) if fired else lab.daemon.wait(0)
        if status not in (([FAULT_STATUS]) if fired else [None]):
            raise RuntimeError('ended with %s\n%s' % (status,
                                                      lab.daemon.tail(5)))
        if not fired:
            lab.daemon.kill()
        return bool(fired)

    def _full(self, kind, n, work):
        """Starts it; at the n-th point the disk is full for a while. Clients
        may be refused meanwhile, but it goes on, and comes to its end."""
        if os.path.exists(self.log):
            os.unlink(self.log)
        lab = self.lab
        lab.start(env={'SEALPOST_FAULT_LOG': self.log,
                       'SEALPOST_FAULT': '%s:%d:full' % (kind, n),
                       'SEALPOST_FAULT_FULL': str(FULL_MS)}, wait=False)
        try:
            lab.wait_up()
        except RuntimeError:
            if lab.daemon.wait(0) != 1:
                raise
            # Not even its own key could be made: it ended with a clear line.
            lab.start()
        try:
            work(lab)
        except Exception as e:  # noqa: BLE001 - it must be told, and is
            if lab.daemon.wait(0) is not None or not is_told(e):
                raise
        fired = os.path.exists(self.log)
        if fired:
            time.sleep(FULL_MS / 1000)
        self.scenario.settle(lab)
        return fired or os.path.exists(self.log)

    def full_case(self, kind, n):
        c = Case(self.scenario.name, 'full-' + kind, n)
        return self._case(c, lambda: self._full(kind, n, self.scenario.act),
                          lambda: self.lab.hang_up())

    def count(self, again=None):
        """How many points of each kind a run has that is not stopped."""
        out = {}
        for kind in ('any',) if has_sanitizer() else ('any', 'syscall'):
            self._begin()
            try:
                work = self.scenario.act
                if again:
                    if not self._stopped(*again, work):
                        raise RuntimeError('%s:%d was not reached' % again)
                    work = self.scenario.finish
                self._stopped(kind, 0, work)
                with open(self.log) as f:
                    for line in f:
                        word, name = line.split()
                        if word == 'point':
                            out[name] = out.get(name, 0) + 1
            finally:
                self._end()
        return out

    def case(self, kind, n, again=None):
        if kind.startswith('full-'):
            return self.full_case(kind[len('full-'):], n)

        def stopped():
            work = self.scenario.act
            if again:
                if not self._stopped(*again, work):
                    raise RuntimeError('%s:%d was not reached' % again)
                work = self.scenario.finish
            return self._stopped(kind, n, work)
        return self._case(Case(self.scenario.name, kind, n, again), stopped,
                          self.lab.start)

    def _case(self, c, stopped, again):
        lab, scenario = self.lab, self.scenario
        began = time.monotonic()
        try:
            self._begin()
            c.fired = stopped()
            if c.fired:
                seen = set(self.leaks())
                again()
                scenario.finish(lab)
                lost, doubled, detail = scenario.judge(lab)
                seen |= set(self.leaks())
                c.lost, c.doubled, c.leaked = \
                    len(lost), len(doubled), len(seen)
                c.detail = ' '.join(detail + ['lost ' + x for x in lost]
                                    + ['doubled ' + x for x in doubled]
                                    + ['readable in ' + x for x in seen])
        except Exception as e:
            c.detail = '%s: %s' % (type(e).__name__, e)
        finally:
            for p in lab.starts:
                for line in p.complaints()[:3]:
                    c.detail += ' ' + line
            if not c.good():
                self.keep(c)
            self._end()
            c.took = time.monotonic() - began
        return c

    def _end(self):
        lab = self.lab
        lab.hang_up()
        if lab.daemon and lab.daemon.alive():
            lab.daemon.kill()
        if lab.server.process:
            lab.server.process.kill()  # its files are put back
        for p in lab.starts:
            p.kill()  # also of one that has ended: its files are closed
        lab.starts = []
        for name in ('daemon.log', 'sandbox.log'):
            open(os.path.join(lab.dir, name), 'w').close()

    def keep(self, c):
        """The logs of a bad case stay in the build folder."""
        where = os.path.join(proc.BUILD, 'tests', 'crash-%s-%s-%d' % (
            c.scenario, c.name().replace(' ', '-'), c.n))
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        for name in ('daemon.log', 'sandbox.log'):
            path = os.path.join(self.lab.dir, name)
            if os.path.exists(path):
                shutil.copy(path, where)

    def close(self):
        self._end()
        shutil.rmtree(self.lab.dir, ignore_errors=True)
