"""The servers that the suite runs against, behind one face.

Sandbox: sealpost-sandbox, looked at through its Maildirs. Sogo: a real SOGo
(tests/lab/sogo-up), looked at through its own IMAP server, without Sealpost.
What the tests compare with comes from here, never from our daemon.
"""
import glob
import http.client
import json
import os
import re
import subprocess
import time
import urllib.parse

import proc
from imapwire import Imap, quote

DOMAIN = 'example.test'
LETTERS = {'S': '\\Seen', 'F': '\\Flagged', 'R': '\\Answered',
           'T': '\\Deleted', 'D': '\\Draft'}


def crlf(raw):
    return raw.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')


def address(user):
    return '%s@%s' % (user, DOMAIN)


class Item:
    """A message as the server has it. key: how to find it there again."""

    def __init__(self, key, raw, flags):
        self.key = key
        self.raw = crlf(raw)
        self.flags = flags

    def header(self, name):
        """The unfolded value of the first such field, or None."""
        return header(self.raw, name)


def header(raw, name):
    """The unfolded value of the first such field of the header, or None."""
    top = raw.split(b'\r\n\r\n', 1)[0] + b'\r\n'
    m = re.search(rb'(?im)^' + re.escape(name.encode())
                  + rb'[ \t]*:((?:[^\r\n]*\r\n)(?:[ \t][^\r\n]*\r\n)*)', top)
    return re.sub(rb'\r\n[ \t]', b' ',
                  m.group(1)).decode('utf-8', 'replace').strip() \
        if m else None


def headers(raw, name):
    top = raw.split(b'\r\n\r\n', 1)[0] + b'\r\n'
    return [re.sub(rb'\r\n[ \t]', b' ', v).decode('utf-8', 'replace').strip()
            for v in re.findall(
                rb'(?im)^' + re.escape(name.encode())
                + rb'[ \t]*:((?:[^\r\n]*\r\n)(?:[ \t][^\r\n]*\r\n)*)', top)]


class Sandbox:
    name = 'sandbox'
    certificates = True   # ResolveRecipients brings them
    exact = True          # it never rebuilds a message
    ping_s = 5            # how late a Ping may tell of new mail
    slow = 1              # waits are this much longer

    def __init__(self, lab, version=None, name='server'):
        self.lab = lab
        lab.sandboxes.append(self)
        self.version = version
        self.root = os.path.join(lab.dir, name)
        self.log_name = 'sandbox' if name == 'server' else name
        self.process = None
        self.users = {}
        self.port = 0
        self.admin_port = 0
        self.tls = ()
        self.options = ()
        os.makedirs(os.path.join(self.root, 'people'))
        os.makedirs(os.path.join(self.root, 'lists'))

    # ---- running ----

    def add_user(self, user, certificates=()):
        self.users[user] = 'secret-' + user
        with open(os.path.join(self.root, 'users'), 'w') as f:
            for u, password in self.users.items():
                f.write('%s %s\n' % (address(u), password))
        for folder in ('INBOX', 'Drafts', 'Sent', 'Trash'):
            self._maildir(user, folder)
        if certificates:
            self.publish(user, certificates)

    def publish(self, user, certificates):
        """Certificates of the directory: PEM texts."""
        path = os.path.join(self.root, 'people', address(user) + '.pem')
        with open(path + '.new', 'w') as f:
            f.write(''.join(certificates))
        os.rename(path + '.new', path)

    def login(self, user):
        return address(user)

    def password(self, user):
        return self.users[user]

    def start(self):
        """Also after a stop: on the same ports, so that the URL stays."""
        command = [proc.program('sealpost-sandbox'), '-v', '--root',
                   self.root,
                   '--listen', '127.0.0.1:%d' % self.port,
                   '--admin', '127.0.0.1:%d' % self.admin_port]
        if self.version:
            command += ['--versions', self.version]
        command += list(self.tls) + list(self.options)
        self.process = proc.Process(self.log_name, command, self.lab.dir,
                                    stdout=subprocess.PIPE)
        line = self.process.first_line(20)
        told = json.loads(line)
        self.url = told['url']
        self.ca = told['ca']
        self.port = urllib.parse.urlparse(self.url).port
        self.admin_port = urllib.parse.urlparse(told['admin']).port

    def stop(self):
        if self.process:
            self.process.stop()

    # ---- its admin door ----

    def admin(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection('127.0.0.1', self.admin_port,
                                       timeout=20)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        data = r.read()
        c.close()
        if r.status >= 300:
            raise RuntimeError('%s %s: %d %r' % (method, path, r.status,
                                                 data[:300]))
        return data

    def mischief(self, do, command='*', user='*', times=1, **more):
        """more: skip, folder, subject; see sealpost-sandbox(1)."""
        more.update(user=user if user == '*' else address(user),
                    command=command, do=do, times=times)
        self.admin('POST', '/mischief', json.dumps(more),
                   {'Content-Type': 'application/json'})

    def mischief_clear(self):
        self.admin('DELETE', '/mischief')

    def log(self):
        """What it was asked: a dict each."""
        return [json.loads(line)
                for line in self.admin('GET', '/log').splitlines() if line]

    def violations(self):
        """What was done against the rules of the protocol, also when it
        does not run any more: a dict each."""
        path = os.path.join(self.root, 'violations')
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return [json.loads(line) for line in f]

    def violations_clear(self):
        self.admin('DELETE', '/violations')

    def policy(self, xml, user=None):
        where = '/policy' + ('?user=' + urllib.parse.quote(address(user))
                             if user else '')
        self.admin('POST', where, xml)

    # ---- its mail ----

    def _maildir(self, user, folder):
        path = os.path.join(self.root, address(user), folder)
        for sub in ('cur', 'new', 'tmp'):
            os.makedirs(os.path.join(path, sub), exist_ok=True)
        return path

    def put(self, user, mails, folder='INBOX'):
        """Before it runs: mails as files."""
        path = self._maildir(user, folder)
        for n, m in enumerate(mails):
            letters = ''.join(sorted(k for k, v in LETTERS.items()
                                     if v in m.flags))
            name = os.path.join(path, 'cur', '%d.M%dP%d.lab:2,%s' % (
                m.date.timestamp(), n, os.getpid(), letters))
            with open(name, 'wb') as f:
                f.write(m.raw)
            os.utime(name, (m.date.timestamp(), m.date.timestamp()))

    def inject(self, user, raw, folder='INBOX'):
        """New mail, while it runs."""
        self.admin('POST', '/inject', raw, {
            'Content-Type': 'message/rfc822', 'X-User': address(user),
            'X-Folder': folder})

    def items(self, user, folder='INBOX'):
        path = os.path.join(self.root, address(user), folder)
        out = []
        for sub in ('cur', 'new'):
            for name in glob.glob(os.path.join(glob.escape(path), sub, '*')):
                letters = name.rpartition(':2,')[2] if ':2,' in name else ''
                try:
                    with open(name, 'rb') as f:
                        raw = f.read()
                except FileNotFoundError:
                    return self.items(user, folder)  # renamed under us
                out.append(Item(name, raw,
                                {LETTERS[x] for x in letters
                                 if x in LETTERS}))
        return out

    def keywords(self, user, item):
        """Its Categories. A Maildir cannot hold them, so it is asked."""
        base = os.path.basename(item.key).partition(':2,')[0]
        who = urllib.parse.quote(address(user))
        for folder in self.folders(user):
            lines = self.admin('GET', '/messages?user=%s&folder=%s' % (
                who, urllib.parse.quote(folder))).splitlines()
            for told in map(json.loads, lines):
                if told['file'].partition(':2,')[0] == base:
                    return set(told['categories'])
        return set()

    def folders(self, user):
        root = os.path.join(self.root, address(user))
        out = set()
        for path, dirs, _ in os.walk(root):
            if os.path.basename(path) in ('cur', 'new', 'tmp'):
                dirs[:] = []
            elif 'cur' in dirs:
                name = os.path.relpath(path, root)
                out.add(name)
        return out

    def set_flags(self, user, item, add=(), remove=(), folder='INBOX'):
        flags = (item.flags | set(add)) - set(remove)
        letters = ''.join(sorted(k for k, v in LETTERS.items() if v in flags))
        base = os.path.basename(item.key).partition(':2,')[0]
        where = os.path.join(self.root, address(user), folder, 'cur')
        os.rename(item.key, os.path.join(where, base + ':2,' + letters))

    def remove(self, user, item, folder='INBOX'):
        os.unlink(item.key)

    def move(self, user, item, source, target):
        base = os.path.basename(item.key)
        os.rename(item.key, os.path.join(self._maildir(user, target), 'cur',
                                         base))


class Sogo:
    """tests/lab/sogo-up made it: SOGO_LAB names its directory,
    SOGO_LAB_BASE its ports."""

    name = 'sogo'
    certificates = False
    exact = False
    ping_s = 15
    slow = 4
    version = None

    def __init__(self, lab, version=None):
        self.lab = lab
        self.base = int(os.environ.get('SOGO_LAB_BASE', '21000'))
        self.state = os.environ.get('SOGO_LAB', '')
        self.users = set()
        self.conns = {}

    def add_user(self, user, certificates=()):
        self.users.add(user)
        self._empty(user)

    def publish(self, user, certificates):
        raise RuntimeError('SOGo has no certificates of recipients')

    def login(self, user):
        return user

    def password(self, user):
        return 'secret'

    def start(self):
        self.url = 'https://127.0.0.1:%d/Microsoft-Server-ActiveSync' \
            % (self.base + 443)
        self.ca = os.path.join(self.state, 'smime/ca.crt')
        if not os.path.exists(self.ca):
            raise RuntimeError('no SOGo lab in SOGO_LAB=%r' % self.state)

    def stop(self):
        for c in self.conns.values():
            c.close()
        self.conns = {}

    # ---- its own IMAP server ----

    def _imap(self, user):
        c = self.conns.get(user)
        if not c:
            c = self.conns[user] = Imap(('127.0.0.1', self.base + 143), 60)
            c.login(user, 'secret')
            c.command('ENABLE CONDSTORE')
        return c

    @staticmethod
    def _name(folder):
        return folder

    def _empty(self, user):
        c = self._imap(user)
        for folder in c.folders():
            c.select(folder)
            if c.search('ALL'):
                c.command('STORE 1:* FLAGS.SILENT (\\Deleted)')
                c.command('EXPUNGE')

    def put(self, user, mails, folder='INBOX'):
        c = self._imap(user)
        for m in mails:
            c.append(folder, m.raw, sorted(m.flags),
                     m.date.strftime('%d-%b-%Y %H:%M:%S +0000'))

    def inject(self, user, raw, folder='INBOX'):
        self._imap(user).append(folder, raw)

    def items(self, user, folder='INBOX'):
        c = self._imap(user)
        c.select(folder)
        if not c.search('ALL'):
            return []
        out = []
        for uid, d in sorted(c.all('(UID FLAGS BODY.PEEK[])').items()):
            flags = {f for f in d['FLAGS'] if f.startswith('\\')}
            out.append(Item(uid, d['BODY[]'], flags - {'\\Recent'}))
        return out

    def keywords(self, user, item):
        return None  # it does not keep Categories as IMAP keywords

    def folders(self, user):
        return set(self._imap(user).folders())

    def set_flags(self, user, item, add=(), remove=(), folder='INBOX'):
        c = self._imap(user)
        c.select(folder)
        if add:
            c.store(item.key, '+', add)
        if remove:
            c.store(item.key, '-', remove)

    def remove(self, user, item, folder='INBOX'):
        c = self._imap(user)
        c.select(folder)
        c.store(item.key, '+', ['\\Deleted'])
        c.command('UID EXPUNGE %s' % item.key)

    def move(self, user, item, source, target):
        c = self._imap(user)
        c.select(source)
        c.command('UID MOVE %s %s' % (item.key, quote(target)))


def make(lab, backend):
    """"sandbox", "sandbox:14.1", "sandbox:14.1:--ping-adds", "sogo"."""
    kind, _, rest = backend.partition(':')
    version, _, options = rest.partition(':')
    server = {'sandbox': Sandbox, 'sogo': Sogo}[kind](lab, version or None)
    if options:
        server.options = tuple(options.split())
    return server


def until(what, seconds, step=0.1):
    """Calls `what` until it gives something true; that. None when it is too
    late."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            return None
        time.sleep(step)
