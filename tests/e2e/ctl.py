#!/usr/bin/python3
"""sealpostctl as a person uses it, without a server: accounts, keys and
certificates with a daemon and without one, what it refuses and how, and that
no secret shows where it should not."""
import json
import os
import pty
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import proc  # noqa: E402
from tap import Fatal, Tap, check, same  # noqa: E402

SRC = os.environ.get('srcdir') or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), '..', '..')
PKI = os.path.join(SRC, 'tests', 'data', 'smime', 'generated', 'pki')
CTL = proc.program('sealpostctl')

CONF = '''state_dir = '%(dir)s/state'
control = '%(dir)s/control'
machine_key = '%(dir)s/machine.key'
listen_imap = {'127.0.0.1:0'}
listen_imaps = off
listen_smtp = {'127.0.0.1:0'}
listen_smtps = off
login_delay = 0s
trust_system = no
%(run_as)s'''


class Box:
    """A directory with a configuration, and perhaps a daemon."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='sealpost-ctl-')
        self.conf = os.path.join(self.dir, 's.conf')
        with open(self.conf, 'w') as f:
            f.write(CONF % {'dir': self.dir, 'run_as':
                            "run_as = 'root'\n" if os.getuid() == 0 else ''})
        self.daemon = None
        self.said = []  # all output, to look for secrets at the end
        self.secrets = []

    def run(self, *args, stdin=''):
        p = subprocess.run([CTL, '-c', self.conf, *args],
                           input=stdin.encode(), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=60,
                           start_new_session=True)  # no terminal to ask
        self.said += [p.stdout, p.stderr]
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def json(self, *args, stdin=''):
        status, out, err = self.run(*args, '--json', stdin=stdin)
        same(status, 0, 'exit status of %s (%s)' % (' '.join(args), err))
        same(out.count('\n'), 1, 'lines of %s' % ' '.join(args))
        return json.loads(out)

    def refused(self, status, says, *args, stdin=''):
        got, out, err = self.run(*args, stdin=stdin)
        same(got, status, 'exit status of %s: %s' % (' '.join(args), err))
        check(re.search(says, err), '%s said %r, not %r', ' '.join(args),
              err, says)
        same(out, '', 'stdout of what failed')

    def text(self):
        with open(self.conf) as f:
            return f.read()

    def state(self, *names):
        return os.path.join(self.dir, 'state', *names)

    def start(self):
        self.daemon = proc.Process(
            'daemon', [proc.program('sealpostd'), '-c', self.conf], self.dir)
        for _ in range(200):
            if self.run('status')[0] == 0:
                return
            if not self.daemon.alive():
                break
            time.sleep(0.05)
        raise Fatal('sealpostd did not come up\n' + self.daemon.tail())

    def stop(self):
        if self.daemon:
            same(self.daemon.stop(), 0, 'exit status of sealpostd')
        self.daemon = None

    def accounts(self):
        return [a['name'] for a in self.json('status')['accounts']]

    def signs_in(self, login, password):
        """By the submission door, whose sign-in is every door's."""
        for each in self.json('status')['listeners']:
            if each['door'] == 'smtp':
                host, _, port = each['address'].rpartition(':')
        with smtplib.SMTP(host, int(port), timeout=20) as s:
            s.ehlo()
            try:
                s.login(login, password, initial_response_ok=True)
                return True
            except smtplib.SMTPAuthenticationError:
                return False


def pki(*names):
    return os.path.join(PKI, *names)


ADD = ('--server', 'https://127.0.0.1:1/', '--password-stdin')


# ---- without a daemon

def step_usage(b):
    b.refused(64, r'no command "frobnicate"', 'frobnicate')
    b.refused(64, 'account add needs NAME', 'account', 'add')
    b.refused(64, '--address and --server', 'account', 'add', 'x')
    b.refused(64, 'no option --frob', 'status', '--frob')
    b.refused(64, 'one too many', 'mime', 'a', 'b')
    b.refused(64, 'say one of --on', 'oof', 'alice', 'set')
    b.refused(64, 'say one of --on', 'oof', 'alice', 'set', '--on',
              '--until', '2026-12-22')
    b.refused(64, '--from soon: allowed is', 'oof', 'alice', 'set',
              '--from', 'soon', '--until', '2026-12-22')
    b.refused(64, 'options change it', 'oof', 'alice', '--off')
    b.refused(64, 'cert add needs --address', 'cert', 'add', 'alice', 'x')
    b.refused(64, 'say --sign, --encrypt', 'smime', 'seal', 'x')
    status, out, _ = b.run('--help')
    same(status, 0, 'exit status of --help')
    check('queue release' in out and 'smime open' in out, 'help is short')
    return 'eleven ways to use it wrongly, 64 each'


def step_no_daemon(b):
    for args in (('status',), ('reload',), ('policy', 'alice'),
                 ('queue', 'retry', 'aaaaaaaaaaaa')):
        b.refused(69, 'no sealpostd listens on .*control', *args)
    return '69, naming the socket'


def step_config(b):
    same(b.json('config', 'check'),
         {'file': b.conf, 'accounts': 0}, 'config check')
    with open(b.conf, 'a') as f:
        f.write('sing = always\n')
    b.refused(1, r's\.conf:\d+: .*sing', 'config', 'check')
    with open(b.conf, 'w') as f:
        f.write(b.text_before)
    b.refused(1, 'is not there', '-c', b.conf + '.absent', 'config', 'check')
    return 'good, wrong with its line, absent'


def step_account_add(b):
    told = b.json('account', 'add', 'alice', '--address',
                  'alice@example.test', *ADD, '--set', 'sign=always', '--set',
                  "authserv_id=it.example", stdin='upstream-of-alice\n')
    b.secrets += ['upstream-of-alice']
    same(sorted(told), ['account', 'address', 'password', 'running'],
         'members')
    same((told['account'], told['address'], told['running']),
         ('alice', 'alice@example.test', False), 'what was told')
    check(len(told['password']) >= 16, 'a short password')
    b.alice = told['password']
    same(b.text()[:len(b.text_before)], b.text_before, 'the old text')
    show = b.json('config', 'show', 'alice')['accounts']['alice']
    same((show['sign'], show['authserv_id'], show['encrypt']),
         ('always', 'it.example', 'ask'), 'settings in force')
    return 'block appended, local password of %d letters shown once' % \
        len(b.alice)


def step_account_refused(b):
    before = b.text()
    b.refused(1, 'has an account "alice" already', 'account', 'add', 'alice',
              '--address', 'other@example.test', *ADD, stdin='x\n')
    b.refused(1, 'sign = .*always', 'account', 'add', 'dora', '--address',
              'dora@example.test', *ADD, '--set', 'sign=perhaps',
              stdin='x\n')
    b.refused(1, 'NAME=VALUE', 'account', 'add', 'dora', '--address',
              'dora@example.test', *ADD, '--set', 'sign', stdin='x\n')
    b.refused(1, 'stdin ended', 'account', 'add', 'dora', '--address',
              'dora@example.test', *ADD)
    b.refused(1, 'no terminal .*--password-stdin', 'account', 'add', 'dora',
              '--address', 'dora@example.test', '--server', 'https://h/')
    same(b.text(), before, 'the configuration')
    return 'five refusals change nothing'


def step_modes(b):
    for name in ('s.conf', 'machine.key', 'state/secrets'):
        if name != 's.conf':
            same(os.stat(os.path.join(b.dir, name)).st_mode & 0o777, 0o600,
                 'mode of ' + name)
    return 'secrets are 0600'


def step_keys_alone(b):
    b.refused(1, 'password does not open', 'key', 'import', 'alice',
              pki('pfx', 'alice-sign.p12'), '--password-stdin',
              stdin='wrong\n')
    b.refused(1, '--password-stdin or --password-file gives it', 'key',
              'import', 'alice', pki('pfx', 'alice-sign.p12'))
    b.refused(1, 'neither a PFX', 'key', 'import', 'alice', b.conf)
    b.refused(1, 'no account "nobody"', 'key', 'list', 'nobody')
    b.json('key', 'import', 'alice', pki('pfx', 'alice-sign.p12'),
           '--password-stdin', stdin='test\n')
    b.json('key', 'import', 'alice', pki('pfx', 'alice-enc.p12'),
           '--password-file', pki('pfx', 'password'))
    b.keys = b.json('key', 'list', 'alice')
    uses = ' / '.join(k['use'] for k in b.keys)
    same(len(b.keys), 2, 'keys')
    check('; signs;' in uses and 'is encrypted to' in uses, 'uses %s', uses)
    return uses


def step_certs_alone(b):
    told = b.json('cert', 'add', 'alice', pki('certs', 'bob-enc.crt'),
                  '--address', 'Bob@Example.test')
    fp = told['fingerprint']
    openssl = subprocess.run(
        ['openssl', 'x509', '-noout', '-fingerprint', '-sha256', '-in',
         pki('certs', 'bob-enc.crt')], stdout=subprocess.PIPE, check=True)
    same(fp, openssl.stdout.decode().split('=')[1].strip()
         .replace(':', '').lower(), 'fingerprint as openssl tells it')
    b.json('cert', 'add', 'alice', pki('certs', 'carol-enc.crt'), '--address',
           'carol@example.test')
    same([(c['address'], c['state'], c['source']) for c in
          b.json('cert', 'list', 'alice', 'bob@example.test')],
         [('bob@example.test', 'known', 'pinned')], 'the list of bob')
    for word, state in (('refuse', 'refused'), ('accept', 'known')):
        b.json('cert', word, 'alice', fp[:12])
        same(b.json('cert', 'show', 'alice', fp)['state'], state, 'state')
    b.refused(1, 'first 8 are needed', 'cert', 'show', 'alice', 'abc')
    b.refused(1, 'not a certificate', 'cert', 'add', 'alice', b.conf,
              '--address', 'x@y.test')
    pem = b.json('cert', 'show', 'alice', fp)['pem']
    with open(pki('certs', 'bob-enc.crt')) as f:
        same(pem.strip(), f.read().strip(), 'the PEM')
    b.certs = b.json('cert', 'list', 'alice')
    return 'added, refused, accepted, shown'


# ---- with one

def step_daemon_agrees(b):
    b.start()
    same(b.json('key', 'list', 'alice'), b.keys, 'keys')
    same(b.json('cert', 'list', 'alice'), b.certs, 'certificates')
    same(b.json('queue', 'list'), [], 'queue')
    same(b.json('folder', 'list', 'alice'), [], 'folders')
    o = b.json('status')
    same(sorted(o), ['accounts', 'fingerprint', 'imap_clients', 'listeners',
                     'smtp_clients', 'version'], 'members of status')
    check(re.fullmatch('([0-9A-F]{2}:){31}[0-9A-F]{2}', o['fingerprint']),
          'fingerprint %s', o['fingerprint'])
    same(sorted(x['door'] for x in o['listeners']), ['imap', 'smtp'], 'doors')
    return 'the same answers as without a daemon'


def step_add_to_daemon(b):
    told = b.json('account', 'add', 'bob', '--address', 'bob@example.test',
                  *ADD, '--local-password-stdin',
                  stdin='upstream-of-bob\nlocal-of-bob\n')
    b.secrets += ['upstream-of-bob', 'local-of-bob']
    same((told['password'], told['running']), (None, True), 'what was told')
    same(b.accounts(), ['alice', 'bob'], 'accounts of the daemon')
    check(b.signs_in('bob', 'local-of-bob'), 'bob cannot sign in')
    check(b.signs_in('alice@example.test', b.alice), 'alice cannot sign in')
    check(not b.signs_in('alice', 'local-of-bob'), 'one password for all')
    return 'both sign in, each with the own password'


def step_new_password(b):
    told = b.json('account', 'password', 'alice', '--local')
    check(told['password'] and told['password'] != b.alice, 'no new one')
    check(b.signs_in('alice', told['password']), 'the new one is refused')
    check(not b.signs_in('alice', b.alice), 'the old one still counts')
    b.alice = told['password']
    same(b.json('account', 'password', 'alice', '--password-stdin',
                stdin='next-upstream\n')['password'], None, 'upstream')
    b.secrets += ['next-upstream']
    b.refused(1, 'no account "nobody"', 'account', 'password', 'nobody',
              '--local')
    return 'the old one ends at once'


def step_terminal(b):
    """Asked on the terminal, not shown there."""
    pid, fd = pty.fork()
    if not pid:
        os.execv(CTL, [CTL, '-c', b.conf, 'account', 'password', 'alice'])
    said = b''
    typed = False
    while True:
        try:
            part = os.read(fd, 1000)
        except OSError:
            part = b''
        if not part:
            break
        said += part
        if b': ' in said and not typed:
            typed = True
            os.write(fd, b'typed-secret\n')
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    b.secrets += ['typed-secret']
    b.said.append(said)
    same(status, 0, 'exit status (%r)' % said)
    check(b'Exchange password of alice' in said, 'not asked: %r', said)
    return 'asked, typed, nothing shown'


def step_bad_reload(b):
    before = b.text()
    with open(b.conf, 'a') as f:
        f.write('\nsing = always\n')
    b.refused(1, 'sing', 'reload')
    with open(b.conf, 'w') as f:
        f.write(before)
    same(b.json('reload'), {'reloaded': True}, 'reload')
    same(b.accounts(), ['alice', 'bob'], 'accounts')
    return 'a bad file changes nothing, a good one counts'


def step_queue_unknown(b):
    for word in ('show', 'hold', 'retry', 'release', 'delete'):
        b.refused(1, 'no message feedfeedfeed', 'queue', word,
                  'feedfeedfeed')
    return 'five times "there is no message"'


def step_remove(b):
    check(os.path.isdir(b.state('accounts', 'bob')), 'no store of bob')
    b.refused(1, 'say --yes', 'account', 'remove', 'bob')
    b.refused(1, 'no account "nobody"', 'account', 'remove', 'nobody',
              '--yes')
    same(b.accounts(), ['alice', 'bob'], 'accounts')
    with_alice = b.text()
    b.json('account', 'remove', 'bob', '--yes')
    same(b.accounts(), ['alice'], 'accounts')
    check(not os.path.exists(b.state('accounts', 'bob')), 'files are left')
    same(os.listdir(b.state('removed')), [], 'markers')
    check('bob' not in b.text(), 'the block is left')
    same(b.text(), with_alice[:len(b.text())], 'the rest of the file')
    check(not b.signs_in('bob', 'local-of-bob'), 'bob still signs in')
    check(b.signs_in('alice', b.alice), 'alice does not')
    same(b.json('key', 'list', 'alice'), b.keys, 'keys of alice')
    return 'files, secrets and block are gone, the other one stays'


def step_same_name_again(b):
    """Nothing of the first bob comes back."""
    told = b.json('account', 'add', 'bob', '--address', 'bob@example.test',
                  *ADD, stdin='again\n')
    check(not b.signs_in('bob', 'local-of-bob'), 'the old password counts')
    check(b.signs_in('bob', told['password']), 'the new one does not')
    same(b.json('cert', 'list', 'bob'), [], 'certificates')
    return 'a new bob'


def step_crash_while_erasing(b):
    """Only the marker was written: whoever opens accounts next goes on."""
    b.daemon.kill()
    b.daemon = None
    check(os.path.isdir(b.state('accounts', 'bob')), 'no store of bob')
    inode = os.stat(b.state('accounts', 'bob')).st_ino
    with open(b.state('removed', 'bob.erase'), 'w'):
        pass
    b.start()
    same(os.listdir(b.state('removed')), [], 'markers')
    check(os.stat(b.state('accounts', 'bob')).st_ino != inode or
          b.json('cert', 'list', 'bob') == [], 'the old store is there')
    bob = [a for a in b.json('status')['accounts'] if a['name'] == 'bob'][0]
    same(b.accounts(), ['alice', 'bob'], 'accounts')
    b.json('account', 'remove', 'bob', '--yes')
    b.stop()
    return 'erased before it is opened (%s)' % bob['state']


def step_remove_alone(b):
    b.json('account', 'remove', 'alice', '--yes')
    same(b.text().rstrip(), b.text_before.rstrip(), 'the configuration')
    check(not os.path.exists(b.state('accounts', 'alice')), 'files are left')
    return 'the configuration is what it was'


# ---- offline

def step_wbxml(b):
    xml = os.path.join(b.dir, 'x.xml')
    doc = os.path.join(b.dir, 'x.wbxml')
    with open(xml, 'w') as f:
        f.write('<FolderSync><SyncKey>0</SyncKey></FolderSync>')
    same(b.run('wbxml', xml, '--encode', '--out', doc)[0], 0, 'encoding')
    with open(doc, 'rb') as f:
        same(f.read(), bytes.fromhex('03016a00000756520330000101'), 'bytes')
    status, out, _ = b.run('wbxml', doc)
    same((status, re.sub(r'\s', '', out)),
         (0, '<FolderSync><SyncKey>0</SyncKey></FolderSync>'), 'text')
    same(b.json('wbxml', doc)['children'][0]['text'], '0', 'JSON')
    with open(doc, 'wb') as f:
        f.write(b'\x03\x01\x6a\x00\x00\x07\x56')
    b.refused(1, 'x.wbxml', 'wbxml', doc)
    return 'text, bytes, text again; a cut one is refused'


def step_seal_and_open(b):
    """Sealed here, opened by openssl; and the other way round."""
    mail = os.path.join(b.dir, 'm.eml')
    sealed = os.path.join(b.dir, 'sealed.eml')
    shown = os.path.join(b.dir, 'shown.eml')
    password = pki('pfx', 'password')
    with open(mail, 'w') as f:
        f.write('From: Alice <alice@example.test>\nTo: bob@example.test\n'
                'Subject: to be hidden\n\nunmistakable text\n')
    told = b.json('smime', 'seal', mail, '--sign', '--encrypt', '--protect',
                  'hide', '--key', pki('pfx', 'alice-sign.p12'),
                  '--password-file', password, '--key',
                  pki('pfx', 'alice-enc.p12'), '--password-file', password,
                  '--to', pki('certs', 'bob-enc.crt'), '--out', sealed)
    same(len(told['recipients']), 2, 'recipients (bob and the sender)')
    opened = subprocess.run(
        ['openssl', 'cms', '-decrypt', '-in', sealed, '-inkey',
         pki('keys', 'bob-enc.key'), '-recip', pki('certs', 'bob-enc.crt')],
        stdout=subprocess.PIPE, check=True).stdout
    verified = subprocess.run(
        ['openssl', 'cms', '-verify', '-CAfile', pki('root', 'ca.crt')],
        input=opened, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        check=False)
    same(verified.returncode, 0, verified.stderr.decode())
    check(b'unmistakable text' in verified.stdout, 'the text is missing')
    with open(sealed, 'rb') as f:
        check(b'hidden' not in f.read(), 'the Subject shows')
    o = b.json('smime', 'open', sealed, '--key', pki('pfx', 'bob-enc.p12'),
               '--password-file', password, '--trust', pki('root', 'ca.crt'),
               '--out', shown)
    same((o['smime'], o['headers']['subject'], o['decrypted']),
         ('pass', 'to be hidden', True), 'opened')
    o = b.json('smime', 'open', sealed, '--trust', pki('root', 'ca.crt'))
    same((o['smime'], o['encrypted'], o['decrypted'], o['signer']),
         ('none', True, False, None), 'without a key')
    b.refused(1, r'bob-enc-old.*expired', 'smime', 'seal', mail, '--encrypt',
              '--no-self', '--to', pki('certs', 'bob-enc-old.crt'), '--out',
              sealed + '.not')
    check(not os.path.exists(sealed + '.not'), 'something was written')
    b.refused(1, 'could not read it', 'smime', 'seal', mail, '--encrypt',
              '--to', pki('certs', 'bob-enc.crt'))
    return 'openssl reads what was sealed, and so do we'


def step_no_secret_shows(b):
    log = ''
    for name in os.listdir(b.dir):
        path = os.path.join(b.dir, name)
        if os.path.isfile(path) and name != 'm.eml':
            with open(path, 'rb') as f:
                log += f.read().decode('latin-1')
    said = b''.join(b.said).decode('latin-1')
    for secret in b.secrets:
        check(secret not in said, '%s was printed', secret)
        check(secret not in log, '%s is in a file', secret)
    return '%d secrets in no output, log or configuration' % len(b.secrets)


STEPS = (step_usage, step_no_daemon, step_config, step_account_add,
         step_account_refused, step_modes, step_keys_alone, step_certs_alone,
         step_daemon_agrees, step_add_to_daemon, step_new_password,
         step_terminal, step_bad_reload, step_queue_unknown, step_remove,
         step_same_name_again, step_crash_while_erasing, step_remove_alone,
         step_wbxml, step_seal_and_open, step_no_secret_shows)


def main():
    tap = Tap('sealpostctl')
    box = Box()
    box.text_before = box.text()
    try:
        tap.run(STEPS, box)
    finally:
        if box.daemon:
            box.daemon.kill()
    if tap.failed:
        tap.say('kept ' + box.dir)
    else:
        shutil.rmtree(box.dir)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
