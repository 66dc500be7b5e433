#!/usr/bin/python3
"""What a reload takes without a new start, and that nobody is cut off by it:
a renewed certificate, an account's new server and user, an account that could
not be opened, several new accounts at once.

    reload.py [STEP...]
"""
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import sys

from imapwire import ImapError
from lab import CtlError, Lab
from servers import Sandbox, address
from tap import Tap, check, same

TEXT = b'From: bob@example.test\r\nTo: %s@example.test\r\n' \
    b'Subject: %s\r\nMessage-ID: <%s@reload.test>\r\n\r\nText.\r\n'


def message(user, ident):
    return TEXT % (user.encode(), ident.encode(), ident.encode())


class Bench:
    def __init__(self, lab):
        self.lab = lab
        self.old = lab.server
        self.new = Sandbox(lab, name='server2')

    def conf(self, before, after, account=None):
        """Replaces text of the configuration, or of one account's block."""
        with open(self.lab.conf) as f:
            text = f.read()
        at = text.index('account "%s"' % account) if account else 0
        check(before in text[at:], 'no %s in the configuration', before)
        text = text[:at] + text[at:].replace(before, after, 1)
        with open(self.lab.conf, 'w') as f:
            f.write(text)

    def has(self, imap, ident):
        """In the selected folder, as this client sees it."""
        imap.command('NOOP')
        try:
            return any(ident in imap.body(u) for u in imap.search('ALL'))
        except (KeyError, ImapError):
            return None  # it went between the two commands


def peer(lab):
    """The fingerprint that a new TLS client sees."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(lab.address('imap', True), 10) as s:
        with context.wrap_socket(s) as t:
            return hashlib.sha256(t.getpeercert(True)).hexdigest().upper()


def make_certificate(lab, name):
    path = os.path.join(lab.dir, name)
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj',
         '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
         '-keyout', path + '.key', '-out', path + '.crt'],
        check=True, stderr=subprocess.DEVNULL)
    return path


def step_renewed_certificate(b):
    lab = b.lab
    state = os.path.join(lab.dir, 'state', 'tls.')
    imap = lab.imap('alice', 'INBOX', tls=True)
    before = peer(lab)
    fresh = make_certificate(lab, 'fresh')
    shutil.copy(fresh + '.crt', state + 'crt')
    try:
        lab.ctl('reload')
    except CtlError as e:
        check('tls.key' in e.text, 'the refusal: %s', e.text)
    else:
        raise AssertionError('a certificate with another key was taken')
    same(peer(lab), before, 'the certificate after a refused reload')
    shutil.copy(fresh + '.key', state + 'key')
    lab.ctl('reload')
    after = peer(lab)
    check(after != before, 'the old certificate is shown')
    same(lab.status()['fingerprint'].replace(':', ''), after, 'status')
    imap.command('NOOP')
    imap.logout()
    imap = lab.imap('alice', 'INBOX', tls=True)  # verifies with the new one
    imap.logout()
    return 'a new client sees the new one, the old client stays; ' \
           'a key that does not fit is refused'


def step_another_server(b):
    lab = b.lab
    alice = lab.imap('alice', 'INBOX')
    bob = lab.imap('bob', 'INBOX')
    lab.wait_for(lambda: lab.is_settled('alice'), 20, 'rest')
    alice.command('NOOP')
    same(len(alice.search('ALL')), 1, 'mail of the old server')
    b.new.inject('alice', message('alice', 'n1'))
    b.conf(b.old.url, b.new.url, 'alice')
    b.conf(b.old.ca, b.new.ca, 'alice')
    lab.ctl('reload')
    asked = len(b.old.log())

    lab.wait_for(lambda: b.has(alice, b'n1@reload.test'), 20,
                 'the mail of the new server')
    lab.wait_for(lambda: b.has(alice, b'o1@reload.test') is False, 20,
                 'the end of the old mail')
    b.new.inject('alice', message('alice', 'n2'))
    lab.wait_for(lambda: b.has(alice, b'n2@reload.test'), 20,
                 'new mail by Ping')
    link = lab.account_status('alice')
    check(b.new.url in str(link), 'status: %s', link)
    later = [r for r in b.old.log()[asked:]
             if r.get('user') == address('alice')]
    same(later, [], 'requests at the old server')
    bob.command('NOOP')
    lab.submit('alice', message('bob', 'n3').replace(
        b'From: bob', b'From: alice'), ['bob@example.test'])
    lab.wait_for(lambda: any(
        b'n3@reload.test' in i.raw for i in b.new.items('bob', 'INBOX')),
        10, 'a submission at the new server')
    alice.logout()
    bob.logout()
    lab.restart()
    check(b.new.url in str(lab.account_status('alice')), 'after a start')
    return 'both clients stayed; mail of the new server, by Ping as well, ' \
           'and nothing asked of the old one'


def step_another_user(b):
    lab = b.lab
    alice = lab.imap('alice', 'INBOX')
    b.new.inject('alison', message('alice', 'n4'))
    b.conf('user = ', 'user = "alison@example.test"\n  # was ', 'alice')
    lab.ctl('reload')
    lab.wait_for(lambda: lab.account_status('alice')['state'] == 'stopped',
                 20, 'the refusal of the old password')
    lab.ctl('account', 'password', 'alice', '--password-stdin',
            stdin='secret-alison\n')
    lab.wait_for(lambda: b.has(alice, b'n4@reload.test'), 20,
                 'the mail of the other user')
    alice.logout()
    return 'the client stayed; the mail of the other user'


def step_account_that_was_shut(b):
    lab = b.lab
    lab.stop()
    where = os.path.join(lab.dir, 'state', 'accounts', 'bob')
    os.rename(where, where + '.away')
    with open(where, 'w') as f:
        f.write('in the way\n')
    lab.start()
    check(lab.log_has(['account=bob', 'cannot be opened']), 'no word')
    alice = lab.imap('alice', 'INBOX')
    try:
        lab.imap('bob')
    except Exception as e:
        told = str(e)
    else:
        raise AssertionError('bob got in')
    lab.ctl('reload')  # nothing has changed, nothing breaks
    os.remove(where)
    os.rename(where + '.away', where)
    lab.ctl('reload')
    lab.imap('bob', 'INBOX').logout()
    lab.wait_for(lambda: lab.account_status('bob')['state'] in
                 ('waiting', 'working'), 20, 'bob at work')
    alice.command('NOOP')
    alice.logout()
    return 'shut: %s; open after a reload' % told


def step_two_at_once(b):
    """Blocks written by hand: both of them run after one reload."""
    lab = b.lab
    lab.add_account('carol', keys=[])
    with open(lab.conf) as f:
        text = f.read()
    block = text[text.index('account "carol"'):]
    block = block[:block.index('\n}') + 3]
    with open(lab.conf, 'a') as f:
        for user in ('dave', 'erin'):
            f.write(block.replace('carol', user).replace(
                '\n}', '\n  password_command = "echo secret-%s"\n}' % user))
    lab.ctl('reload')
    for user in ('carol', 'dave', 'erin'):
        lab.wait_for(lambda: lab.account_status(user)['state'] == 'waiting',
                     20, '%s at rest' % user)
    return 'carol, dave and erin'


STEPS = (step_renewed_certificate, step_another_server, step_another_user,
         step_account_that_was_shut, step_two_at_once)


def main():
    tap = Tap('reload')
    wanted = sys.argv[1:]
    with Lab('reload') as lab:
        b = Bench(lab)
        for server in (b.old, b.new):
            for user in ('alice', 'alison', 'bob', 'carol', 'dave', 'erin'):
                server.add_user(user)
        b.old.start()
        b.new.start()
        b.old.inject('alice', message('alice', 'o1'))
        for user in ('alice', 'bob'):
            lab.add_account(user, keys=[])
        lab.start()
        tap.run([s for s in STEPS if not wanted or s.__name__[5:] in wanted],
                b)
        lab.failed = bool(tap.failed)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
