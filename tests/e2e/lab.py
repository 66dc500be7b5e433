"""A throw-away Sealpost: a server, sealpostd with accounts, and helpers.

    with Lab('suite', 'sandbox:14.1') as lab:
        lab.server.start()
        lab.add_account('alice')
        lab.start()
        imap = lab.imap('alice')

Everything lies in one directory, which goes when all went well; after a
failure (or with LAB_KEEP=1) it stays, and the ends of the logs are printed.
"""
import json
import os
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

import proc
import servers
from imapwire import Imap
from pki import Pki
from servers import address, until

CONF = '''# made by tests/e2e/lab.py
state_dir = '%(dir)s/state'
control = '%(dir)s/control'
machine_key = '%(dir)s/machine.key'
log_level = debug
listen_imap = {'127.0.0.1:0'}
listen_imaps = {'127.0.0.1:0'}
listen_smtp = {'127.0.0.1:0'}
listen_smtps = {'127.0.0.1:0'}
login_delay = 0s
sync_interval = 10s
submit_wait = 10s
queue_retry_min = 1s
trust = {'%(anchor)s'}
trust_system = no
%(run_as)s%(settings)s
'''


class CtlError(Exception):
    """sealpostctl failed; text is what it said."""

    def __init__(self, args, status, text):
        super().__init__('sealpostctl %s: %d: %s'
                         % (' '.join(args), status, text))
        self.status = status
        self.text = text


class Lab:
    def __init__(self, name, backend='sandbox', settings=''):
        self.dir = tempfile.mkdtemp(prefix='sealpost-%s-' % name)
        self.conf = os.path.join(self.dir, 'sealpost.conf')
        self.pki = Pki(self.dir)
        self.sandboxes = []
        self.server = servers.make(self, backend)
        self.daemon = None
        self.passwords = {}
        self.listeners = []
        self.starts = []
        self.failed = False
        with open(self.conf, 'w') as f:
            f.write(CONF % {
                'dir': self.dir, 'anchor': self.pki.path('chain.pem'),
                'settings': settings,
                'run_as': "run_as = 'root'\n" if os.getuid() == 0 else ''})

    # ---- beginning and end ----

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.failed = True
        if self.daemon and self.daemon.alive():
            status = self.daemon.stop()
            if status != 0:
                print('# sealpostd ended with', status)
                self.failed = True
        self.server.stop()
        for sandbox in self.sandboxes:
            for told in sandbox.violations()[:20]:
                print('# against the protocol: %s' % told)
                self.failed = True
        for p in self.starts:
            for line in p.complaints()[:20]:
                print('# %s: %s' % (p.name, line))
                self.failed = True
        self._leave(value)
        if self.failed and not kind:
            sys.exit(1)

    def _leave(self, value):
        if not self.failed and not os.environ.get('LAB_KEEP'):
            shutil.rmtree(self.dir, ignore_errors=True)
            return
        print('# kept:', self.dir)
        if not self.failed:
            return
        for name in ('daemon.log', 'sandbox.log'):
            path = os.path.join(self.dir, name)
            if os.path.exists(path):
                print('# ---- end of %s' % name)
                with open(path, errors='replace') as f:
                    for line in f.read().splitlines()[-40:]:
                        print('#  ', line)
        sys.stdout.flush()

    # ---- sealpostctl ----

    def ctl(self, *args, stdin=None, as_json=True):
        """The result of a command, parsed."""
        command = [proc.program('sealpostctl'), '-c', self.conf]
        if as_json:
            command.append('--json')
        p = subprocess.run(command + list(args),
                           input=None if stdin is None else stdin.encode(),
                           stdin=subprocess.DEVNULL if stdin is None else None,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=60)
        if p.returncode:
            raise CtlError(args, p.returncode, (
                p.stderr + p.stdout).decode(errors='replace').strip())
        text = p.stdout.decode()
        return json.loads(text) if as_json else text

    def status(self):
        return self.ctl('status')

    def account_status(self, user):
        for a in self.status()['accounts']:
            if a['name'] == user:
                return a
        raise KeyError(user)

    # ---- accounts ----

    def add_account(self, user, settings=(), keys=None):
        """keys: names of the PKI; default the user's two."""
        args = ['account', 'add', user, '--address', address(user),
                '--server', self.server.url, '--user',
                self.server.login(user), '--ca-file', self.server.ca,
                '--password-stdin']
        for s in settings:
            args += ['--set', s]
        told = self.ctl(*args, stdin=self.server.password(user) + '\n')
        self.passwords[user] = told['password']
        if keys is None:
            keys = [user + '-sign', user + '-enc']
        for key in keys:
            self.import_key(user, key)

    def import_key(self, user, key):
        return self.ctl('key', 'import', user, self.pki.pfx(key),
                        '--password-stdin', stdin=self.pki.password + '\n')

    def add_certificate(self, user, name, whose):
        return self.ctl('cert', 'add', user, self.pki.cert(name),
                        '--address', address(whose))

    # ---- the daemon ----

    def start(self, env=None, wait=True, wrapper=()):
        self.daemon = proc.Process(
            'daemon', [proc.program('sealpostd'), '-c', self.conf], self.dir,
            env=env, wrapper=wrapper)
        self.starts.append(self.daemon)
        if wait:
            self.wait_up()

    def wait_up(self, seconds=30):
        """Until it says where it listens."""
        def asked():
            if not self.daemon.alive():
                raise RuntimeError('sealpostd ended with %s\n%s' % (
                    self.daemon.wait(1), self.daemon.tail()))
            try:
                return self.status()
            except CtlError:
                return None
        told = until(asked, seconds, 0.05)
        if not told:
            raise RuntimeError('sealpostd does not answer\n'
                               + self.daemon.tail())
        self.listeners = told['listeners']

    def stop(self):
        status = self.daemon.stop()
        if status != 0:
            raise RuntimeError('sealpostd ended with %s\n%s'
                               % (status, self.daemon.tail()))

    def restart(self, env=None, kill=False):
        if kill:
            self.daemon.kill()
        else:
            self.stop()
        self.start(env)

    def address(self, door, tls=False):
        for each in self.listeners:
            if each['door'] == door and bool(each['tls']) == tls:
                host, _, port = each['address'].rpartition(':')
                return host, int(port)
        raise KeyError('no listener %s tls=%s in %r'
                       % (door, tls, self.listeners))

    def is_settled(self, user):
        """Nothing left to do: listed, bodies here, journal empty."""
        a = self.account_status(user)
        return a['state'] == 'waiting' and not a['journal_open'] \
            and not a['bodies_missing']

    def queue(self, user):
        """How many submissions are not yet sent."""
        return self.account_status(user)['queue']

    def log_has(self, words, seconds=10):
        """A line of the daemon's log with all the words, or None."""
        def looked():
            for line in self.daemon.text().splitlines():
                if all(w in line for w in words):
                    return line
            return None
        return until(looked, seconds)

    # ---- the doors ----

    def tls_context(self):
        """Whoever connects to the loopback sees the daemon's own
        certificate, made at its first start."""
        context = ssl.create_default_context()
        context.load_verify_locations(
            os.path.join(self.dir, 'state', 'tls.crt'))
        return context

    def imap(self, user, folder=None, timeout=60, tls=False):
        c = Imap(self.address('imap', tls), timeout,
                 self.tls_context() if tls else None)
        c.login(user, self.passwords[user])
        if folder:
            c.selected = c.select(folder)
        return c

    def smtp(self, user=None, timeout=60):
        host, port = self.address('smtp')
        s = smtplib.SMTP(host, port, 'client.example.test', timeout)
        s.ehlo()
        if user:
            s.login(user, self.passwords[user])
        return s

    def submit(self, user, raw, to, sender=None):
        """One message; the answer to DATA. Raises what smtplib raises."""
        s = self.smtp(user)
        try:
            code, text = s.mail(sender or address(user))
            if code != 250:
                raise smtplib.SMTPSenderRefused(code, text, user)
            for t in to:
                code, text = s.rcpt(t)
                if code not in (250, 251):
                    raise smtplib.SMTPRecipientsRefused({t: (code, text)})
            code, text = s.data(raw)
            if code != 250:
                raise smtplib.SMTPDataError(code, text)
            return text.decode()
        finally:
            try:
                s.quit()
            except (smtplib.SMTPException, OSError):
                pass

    # ---- waiting ----

    def wait_for(self, what, seconds, text, step=0.1):
        got = until(what, seconds * self.server.slow, step)
        if not got:
            raise AssertionError('%s did not happen within %d s'
                                 % (text, seconds * self.server.slow))
        return got

    def timed(self, what):
        began = time.monotonic()
        return what(), time.monotonic() - began
