#!/usr/bin/python3
"""sealpostd as a process: options, errors at the start, rights, signals,
systemd. No server is needed: there are no accounts."""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get('builddir') or os.path.join(HERE, '../../build')
DAEMON = os.path.join(BUILD, 'sealpostd')
CTL = os.path.join(BUILD, 'sealpostctl')
ROOT = os.getuid() == 0
DIR = tempfile.mkdtemp(prefix='sealpost-daemon-')
os.chmod(DIR, 0o711)
RUNNING = []


def conf(name, *lines, **settings):
    """A configuration with a directory of its own; the path."""
    where = os.path.join(DIR, name)
    os.makedirs(where, exist_ok=True)
    told = {'state_dir': "'%s/state'" % where,
            'control': "'%s/run/control'" % where,
            'machine_key': "'%s/machine.key'" % where,
            'listen_imap': 'off', 'listen_imaps': 'off',
            'listen_smtp': "{'127.0.0.1:0'}", 'listen_smtps': 'off'}
    if ROOT:
        told['run_as'] = "'root'"
    told.update(settings)
    path = os.path.join(where, 'sealpost.conf')
    with open(path, 'w') as f:
        f.write(''.join('%s = %s\n' % kv for kv in told.items()))
        f.write('\n'.join(lines) + '\n')
    return path


class Daemon:
    def __init__(self, path, **more):
        self.log = os.path.join(DIR, 'log.%d' % len(RUNNING))
        with open(self.log, 'w') as f:
            self.proc = subprocess.Popen([DAEMON, '-c', path], stderr=f,
                                         stdin=subprocess.DEVNULL, **more)
        RUNNING.append(self)

    def text(self):
        with open(self.log) as f:
            return f.read()

    def has(self, words, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if words in self.text():
                return True
            time.sleep(0.02)
        return False

    def ready(self):
        if not self.has('ready:'):
            raise AssertionError('not ready: ' + self.text())
        return self

    def port(self, what='smtp'):
        m = re.search(r'%s on \S+:(\d+)\n' % what, self.text())
        return int(m.group(1))

    def stop(self, number=signal.SIGTERM):
        self.proc.send_signal(number)
        return self.proc.wait(10)


def same(got, want, what):
    if got != want:
        raise AssertionError('%s: got %r, wanted %r' % (what, got, want))


def once(*args, path=None):
    """Runs to its end: status, stdout, stderr."""
    p = subprocess.run([DAEMON] + (['-c', path] if path else []) + list(args),
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=20)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def refused(path, *words):
    """It ends with 1 and one line that has the words."""
    status, out, text = once(path=path)
    same((status, out), (1, ''), text)
    lines = [x for x in text.splitlines() if ' error ' in x]
    same(len(lines), 1, 'lines of ' + text)
    for w in words:
        if w not in lines[0]:
            raise AssertionError('no %r in %r' % (w, lines[0]))


def banner(port):
    s = socket.create_connection(('127.0.0.1', port), 5)
    with s:
        return s.recv(100)


# ---- cases ----

def options():
    same(once('--help')[0], 0, 'status of --help')
    status, out, _ = once('--version')
    same((status, out.split()[0]), (0, 'sealpostd'), '--version')
    for args in (['-x'], ['word'], ['-c']):
        status, out, text = once(*args)
        same((status, out), (64, ''), ' '.join(args))
        same('usage:' in text, True, 'usage for ' + ' '.join(args))


def configuration():
    refused(os.path.join(DIR, 'none.conf'), 'none.conf')
    path = conf('bad', 'no_such_setting = 1')
    refused(path, 'sealpost.conf:', 'no_such_setting')
    refused(conf('worse', max_message_size='many'), 'max_message_size')


def port_taken():
    s = socket.create_server(('127.0.0.1', 0))
    with s:
        port = s.getsockname()[1]
        refused(conf('port', listen_smtp="{'127.0.0.1:%d'}" % port),
                str(port), '127.0.0.1', 'taken')


def state_taken():
    path = conf('lock')
    d = Daemon(path).ready()
    refused(path, 'lock/state', str(d.proc.pid))
    same(d.proc.poll(), None, 'the first one')
    d.proc.kill()
    d.proc.wait()
    d = Daemon(path).ready()  # a lock does not outlive its holder
    same(d.stop(), 0, 'status')


def address_missing():
    d = Daemon(conf('family', listen_imaps="{'192.0.2.1:0'}")).ready()
    same('no listener on 192.0.2.1' in d.text(), True, 'the note')
    same(d.stop(), 0, 'status')


def stopping():
    for number in (signal.SIGTERM, signal.SIGINT):
        d = Daemon(conf('stop')).ready()
        same(banner(d.port())[:4], b'220 ', 'greeting')
        same(d.stop(number), 0, 'status')
        same('error' in d.text(), False, 'an error in ' + d.text())


def certificate():
    path = conf('tls')
    prints = []
    for _ in range(2):
        d = Daemon(path).ready()
        prints.append(re.search(r'certificate (\S+)', d.text()).group(1))
        same(d.stop(), 0, 'status')
    same(prints[0], prints[1], 'the certificate of the second start')
    mode = os.stat(os.path.join(DIR, 'tls/state/tls.key')).st_mode & 0o777
    same(mode, 0o600, 'mode of the key')
    mode = os.stat(os.path.join(DIR, 'tls/state')).st_mode & 0o777
    same(mode, 0o700, 'mode of the state')


def own_certificate():
    made = os.path.join(DIR, 'tls/state/tls.')
    path = conf('own', tls_certificate="'%scrt'" % made,
                tls_key="'%skey'" % made)
    d = Daemon(path).ready()
    same(os.path.exists(os.path.join(DIR, 'own/state/tls.crt')), False,
         'a loopback certificate beside an own one')
    same(d.stop(), 0, 'status')
    refused(conf('own2', tls_certificate="'%scrt'" % made,
                 tls_key="'/nowhere/tls.key'"), '/nowhere/tls.key')


def nothing_to_see():
    d = Daemon(conf('dump')).ready()
    with open('/proc/%d/limits' % d.proc.pid) as f:
        core = re.search(r'Max core file size\s+(\S+)', f.read()).group(1)
    with open('/proc/%d/status' % d.proc.pid) as f:
        mask = re.search(r'Umask:\s+(\S+)', f.read()).group(1)
    same((core, mask), ('0', '0077'), 'core size and umask')
    same(d.stop(), 0, 'status')


def rights():
    if not ROOT:
        return 'not root'
    user = pwd.getpwnam('nobody')
    refused(conf('nouser', run_as="'no-such-user'"), 'no-such-user', 'run_as')
    path = conf('drop', run_as="'nobody'",
                machine_key="'%s/drop/state/machine.key'" % DIR)
    d = Daemon(path).ready()
    with open('/proc/%d/status' % d.proc.pid) as f:
        text = f.read()
    uids = re.search(r'Uid:\s+(.*)', text).group(1).split()
    gids = re.search(r'Gid:\s+(.*)', text).group(1).split()
    groups = re.search(r'Groups:[ \t]*(.*)', text).group(1).split()
    same(uids, [str(user.pw_uid)] * 4, 'user')
    same(gids, [str(user.pw_gid)] * 4, 'group')
    same(groups, [str(g) for g in
                  sorted(os.getgrouplist('nobody', user.pw_gid))], 'groups')
    same(os.stat(os.path.join(DIR, 'drop/state')).st_uid, user.pw_uid,
         'owner of the state')
    os.kill(d.proc.pid, signal.SIGHUP)
    same(d.has('daemon: reloaded'), True, 'a reload')
    same(d.stop(), 0, 'status')


def added_by_root():
    """`account add` before the first start: the key lies in a directory of
    root's, the daemon is nobody, and reads all there is."""
    if not ROOT:
        return 'not root'
    path = conf('added', run_as="'nobody'", listen_imap="{'127.0.0.1:0'}")
    os.chmod(os.path.dirname(path), 0o755)
    add = [CTL, '-c', path, 'account', 'add', '--server',
           'https://localhost:1', '--password-stdin']
    p = subprocess.run(add + ['alice', '--address', 'alice@example.test'],
                       input=b'upstream\n', stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=20)
    same(p.returncode, 0, p.stdout)
    password = re.search(rb'mail program: (\S+)', p.stdout).group(1)
    user = pwd.getpwnam('nobody')
    for name in ('machine.key', 'state/secrets'):
        st = os.stat(os.path.join(DIR, 'added', name))
        same((st.st_uid, st.st_mode & 0o777), (user.pw_uid, 0o600), name)
    d = Daemon(path).ready()
    with socket.create_connection(('127.0.0.1', d.port('imap')), 5) as s:
        s.sendall(b'a LOGIN alice ' + password + b'\r\n')
        got = b''
        while b'\r\na ' not in got:
            got += s.recv(4096)
    same(b'a OK' in got, True, 'LOGIN: %r' % got)
    same('no password is stored' in d.text(), False, d.text())
    same(d.stop(), 0, 'status')
    # A key that is root's after all: what to do about it.
    os.chown(os.path.join(DIR, 'added/machine.key'), 0, 0)
    refused(path, 'chown nobody', 'machine.key')
    p = subprocess.run(add + ['bob', '--address', 'bob@example.test'],
                       input=b'upstream\n', stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=20)
    same((p.returncode != 0, b'chown nobody' in p.stdout), (True, True),
         p.stdout)
    # Nothing is there yet, and the directory is the service's.
    where = os.path.join(DIR, 'service')
    os.mkdir(where)
    os.chown(where, user.pw_uid, user.pw_gid)
    fresh = os.path.join(where, 'sealpost.conf')
    p = subprocess.run(
        [CTL, '-c', fresh, 'account', 'add', 'carol', '--address',
         'carol@example.test', '--server', 'https://localhost:1',
         '--no-password', '--set', 'password_command=true'],
        env=dict(os.environ, STATE_DIRECTORY=where), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    same(p.returncode, 0, p.stdout)
    same(os.stat(fresh).st_uid, user.pw_uid, 'owner of a new file')


def reload():
    path = conf('reload')
    d = Daemon(path).ready()
    conf('reload', 'what = 1')
    os.kill(d.proc.pid, signal.SIGHUP)
    same(d.has('not reloaded'), True, 'the refusal')
    same('what' in d.text(), True, 'its reason')
    conf('reload', listen_imap="{'127.0.0.1:0'}", state_dir="'/nowhere'")
    for _ in range(2):  # named again as long as it waits
        before = d.text().count('after the next start')
        os.kill(d.proc.pid, signal.SIGHUP)
        end = time.monotonic() + 5
        while d.text().count('after the next start') == before:
            same(time.monotonic() < end, True, 'in time')
            time.sleep(0.02)
    line = [x for x in d.text().splitlines() if 'after the next' in x][-1]
    same('state_dir' in line and 'listeners' in line, True, line)
    same(banner(d.port())[:4], b'220 ', 'greeting')
    same(d.stop(), 0, 'status')


def without_systemd():
    with open(os.path.join(BUILD, 'config.h')) as f:
        return '#define HAVE_SYSTEMD 1' not in f.read()


def systemd():
    if without_systemd():
        return 'built without systemd'
    path = os.path.join(DIR, 'notify')
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(path)
    told.settimeout(10)
    d = Daemon(conf('notify-d'), env=dict(os.environ, NOTIFY_SOCKET=path))
    same('READY=1' in told.recv(4096).decode(), True, 'ready')
    os.kill(d.proc.pid, signal.SIGHUP)
    got = told.recv(4096).decode()
    same('RELOADING=1' in got and 'MONOTONIC_USEC=' in got, True, got)
    same(told.recv(4096).decode(), 'READY=1', 'ready again')
    d.proc.send_signal(signal.SIGTERM)
    same(told.recv(4096).decode(), 'STOPPING=1', 'stopping')
    same(d.proc.wait(10), 0, 'status')
    told.close()


def activated(path, sockets, names):
    """With descriptors from 3 on, as systemd gives them."""
    def place():
        high = [os.dup(os.dup(os.dup(s.fileno()))) for s in sockets]
        high = [os.dup2(h, 100 + i) for i, h in enumerate(high)]
        for i, h in enumerate(high):
            os.dup2(h, 3 + i)
    return subprocess.Popen(
        ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', DAEMON, '-c',
         path], preexec_fn=place, close_fds=False,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=dict(os.environ, LISTEN_FDS=str(len(sockets)),
                 LISTEN_FDNAMES=names))


def activation():
    if without_systemd():
        return 'built without systemd'
    a = socket.create_server(('127.0.0.1', 0))
    path = conf('activation', listen_smtp="{'127.0.0.1:1'}")
    p = activated(path, [a], 'smtp')
    try:
        same(banner(a.getsockname()[1])[:4], b'220 ', 'greeting')
    finally:
        p.terminate()
        text = p.communicate(timeout=10)[1].decode()
    same(p.returncode, 0, text)
    for names, address, word in (('unknown', '127.0.0.1', 'which door'),
                                 ('smtp', '0.0.0.0', 'loopback')):
        b = socket.create_server((address, 0))
        p = activated(path, [b], names)
        text = p.communicate(timeout=10)[1].decode()
        same((p.returncode, word in text), (1, True), text)
        b.close()
    a.close()


CASES = (options, configuration, port_taken, state_taken, address_missing,
         stopping, certificate, own_certificate, nothing_to_see, rights, added_by_root,
         reload, systemd, activation)


def main():
    failed = 0
    for n, case in enumerate(CASES, 1):
        name = case.__name__.replace('_', ' ')
        try:
            skip = case()
            print('ok %d - %s%s' % (n, name,
                                    ' # SKIP ' + skip if skip else ''))
        except Exception as e:
            failed += 1
            print('not ok %d - %s' % (n, name))
            for line in ('%s: %s' % (type(e).__name__, e)).splitlines():
                print('#', line)
        sys.stdout.flush()
    print('1..%d' % len(CASES))
    for d in RUNNING:
        if d.proc.poll() is None:
            d.proc.kill()
            d.proc.wait()
    if failed:
        print('# kept:', DIR)
    else:
        shutil.rmtree(DIR, ignore_errors=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
