"""Processes of a test: started in a directory with a log, stopped by their
pid, never left behind."""
import atexit
import ctypes
import os
import select
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get('builddir') or os.path.join(TOP, 'build')
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
# What a sanitizer, an assert or the C library writes before it dies.
BAD_WORDS = ('AddressSanitizer', 'ThreadSanitizer', 'LeakSanitizer',
             'UndefinedBehaviorSanitizer', 'runtime error:', 'Assertion ',
             'stack smashing', 'malloc()', 'free():', 'double free')
RUNNING = []


def sanitized():
    """Shadow memory and quarantine make figures of memory meaningless."""
    return any(name in os.environ
               for name in ('ASAN_OPTIONS', 'TSAN_OPTIONS'))


def program(name):
    path = os.path.join(BUILD, name)
    if not os.path.exists(path):
        raise RuntimeError('%s is not built' % path)
    return path


def _dies_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    def __init__(self, name, command, directory, env=None, stdout=None,
                 cwd=None, wrapper=()):
        self.name = name
        self.log_path = os.path.join(directory, name + '.log')
        self.log = open(self.log_path, 'ab')
        self.begins = self.log.tell()
        self.stopped = None
        self.proc = subprocess.Popen(
            list(wrapper) + command, stdin=subprocess.DEVNULL,
            stdout=stdout or self.log, stderr=self.log, cwd=cwd,
            env=dict(os.environ, **(env or {})),
            preexec_fn=_dies_with_parent)
        RUNNING.append(self)

    @property
    def pid(self):
        return self.proc.pid

    def alive(self):
        return self.proc.poll() is None

    def first_line(self, seconds):
        """The first line that it prints."""
        data, end = b'', time.monotonic() + seconds
        fd = self.proc.stdout.fileno()
        while not data.endswith(b'\n'):
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise RuntimeError('%s says nothing\n%s'
                                   % (self.name, self.tail()))
            got = os.read(fd, 1)
            if not got:
                raise RuntimeError('%s ended\n%s' % (self.name, self.tail()))
            data += got
        return data.decode()

    def wait(self, seconds):
        """The exit status; None while it runs."""
        try:
            return self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """kill -9"""
        if self.alive():
            self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()
        self._closed()

    def stop(self, seconds=20):
        """SIGTERM; the exit status. Killed when it does not heed it."""
        if self.alive():
            self.proc.send_signal(signal.SIGTERM)
        status = self.wait(seconds)
        if status is None:
            self.kill()
            status = 'did not stop'
        self._closed()
        return status

    def _closed(self):
        if self in RUNNING:
            RUNNING.remove(self)
        if self.proc.stdout:
            self.proc.stdout.close()
        self.log.close()

    def text(self):
        """What this run has logged."""
        with open(self.log_path, 'rb') as f:
            f.seek(self.begins)
            return f.read().decode(errors='replace')

    def tail(self, lines=30):
        return '\n'.join(self.text().splitlines()[-lines:])

    def complaints(self):
        return [line for line in self.text().splitlines()
                if any(w in line for w in BAD_WORDS)]


def _kill_all():
    for p in list(RUNNING):
        p.kill()


def _on_signal(number, _frame):
    _kill_all()
    os._exit(128 + number)


atexit.register(_kill_all)
for _s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_s, _on_signal)
