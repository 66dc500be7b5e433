#!/usr/bin/python3
"""Starts that must be refused, and a wipe: a store of a newer version, a
second daemon on the same directory, a wipe with clients connected that is
stopped in its middle. Nothing of anybody else's is touched.

    s7_start.py [--full] [STEP...]

--full stops the wipe in more places.
"""
import os
import sqlite3
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))

import proc  # noqa: E402
from imapwire import ImapError  # noqa: E402
from lab import Lab  # noqa: E402
from tap import Skip, Tap, check, same  # noqa: E402

TEXT = b'From: bob@example.test\r\nTo: %s@example.test\r\n' \
    b'Subject: %s\r\nMessage-ID: <%s@start.test>\r\n\r\nText of %s.\r\n'
MAILS = 12
FAULT_STATUS = 99


def message(user, ident):
    i = ident.encode()
    return TEXT % (user.encode(), i, i, i)


def tree(top):
    """Every file below with its bytes; the database without its journal."""
    out = {}
    for path, _, names in os.walk(top):
        for name in names:
            full = os.path.join(path, name)
            with open(full, 'rb') as f:
                out[os.path.relpath(full, top)] = f.read()
    return out


class Starts:
    def __init__(self, lab):
        self.lab = lab
        self.server = lab.server

    def place(self, user):
        return os.path.join(self.lab.dir, 'state', 'accounts', user)

    def settled(self, *users):
        for user in users:
            self.lab.wait_for(lambda: self.lab.is_settled(user), 20,
                              'rest of %s' % user)

    def mail_of(self, user):
        """UID and bytes of the INBOX as the user sees it."""
        imap = self.lab.imap(user, 'INBOX')
        told = {uid: imap.body(uid) for uid in imap.search('ALL')}
        imap.logout()
        return told

    def whole(self, user, count=MAILS):
        """Everything the server has is there, unchanged."""
        told = self.mail_of(user)
        same(len(told), count, 'mails of %s' % user)
        for i in range(count):
            check(any(b'Text of %s-%d.' % (user.encode(), i) in raw
                      for raw in told.values()), 'mail %d of %s', i, user)


# ---- a newer store ----

def step_newer_schema(s):
    lab = s.lab
    s.settled('alice', 'bob')
    before = s.mail_of('alice')
    lab.stop()
    path = os.path.join(s.place('alice'), 'store.db')
    with sqlite3.connect(path) as db:
        known = db.execute('PRAGMA user_version').fetchone()[0]
        db.execute('PRAGMA user_version = %d' % (known + 1))
    db.close()
    was = tree(s.place('alice'))
    lab.start()
    line = lab.log_has(['account=alice', 'schema %d' % (known + 1),
                        'knows %d' % known])
    check(line, 'the log does not say which version')
    try:
        lab.imap('alice')
    except ImapError as e:
        same(e.status, 'NO', 'LOGIN: %s' % e)
        check(e.text.startswith('[UNAVAILABLE]') and 'schema %d' % (known + 1)
              in e.text, 'LOGIN: %s', e.text)
        check('newer Sealpost' in e.text, 'LOGIN: %s', e.text)
    else:
        raise AssertionError('alice got in')
    told = lab.account_status('alice')
    check('schema %d' % (known + 1) in str(told), 'status: %s', told)
    s.whole('bob')
    lab.stop()
    now = tree(s.place('alice'))
    same(sorted(now), sorted(was), 'files')
    for name in was:
        check(now[name] == was[name], '%s was changed', name)
    with sqlite3.connect(path) as db:
        db.execute('PRAGMA user_version = %d' % known)
    db.close()
    lab.start()
    same(s.mail_of('alice'), before, 'the mail with the right version')
    return 'refused, untouched, bob is served: %s' % line.split(': ', 1)[1]


# ---- a second daemon ----

def step_second_daemon(s):
    lab = s.lab
    other = os.path.join(lab.dir, 'other.conf')
    with open(lab.conf) as f:
        text = f.read()
    # Only the state is shared, or the socket would stand in the way.
    with open(other, 'w') as f:
        f.write(text.replace("control = '%s/control'" % lab.dir,
                             "control = '%s/control2'" % lab.dir))
    imap = lab.imap('bob', 'INBOX')
    p = subprocess.run([proc.program('sealpostd'), '-c', other],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=20)
    same(p.returncode, 1, p.stdout.decode())
    lines = [x for x in p.stdout.decode().splitlines() if ' error ' in x]
    same(len(lines), 1, 'lines')
    check('process %d' % lab.daemon.pid in lines[0] and
          os.path.join(lab.dir, 'state') in lines[0], 'it says %s', lines[0])
    imap.command('NOOP')
    imap.logout()
    s.server.inject('bob', message('bob', 'bob-%d' % MAILS))
    lab.wait_for(lambda: len(s.mail_of('bob')) == MAILS + 1, 20,
                 'new mail at the first one')
    # The lock does not outlive a kill.
    lab.restart(kill=True)
    s.whole('bob', MAILS + 1)
    return lines[0].split(': ', 1)[1]


# ---- a wipe ----

def begin_wipe(s):
    """The order waits; a flag of hers makes the daemon ask for something."""
    s.server.mischief('wipe', '*', 'alice')
    try:
        imap = s.lab.imap('alice', 'INBOX')
        imap.store(imap.search('ALL')[0], '+', ['\\Flagged'])
        imap.close()
    except (ImapError, OSError):
        pass  # it was that quick


def erased(s):
    """Nothing of Alice's mail or keys is on this disk."""
    check(not os.path.exists(s.place('alice')), 'the directory is there')
    for path, _, names in os.walk(os.path.join(s.lab.dir, 'state')):
        for name in names:
            with open(os.path.join(path, name), 'rb') as f:
                check(b'Text of alice-' not in f.read(),
                      '%s has her mail', os.path.join(path, name))


def wiped(s):
    """Told to the server, erased here, said to who asks; Bob as ever."""
    lab = s.lab
    lab.wait_for(lambda: lab.log_has(['account=alice', 'the server knows'],
                                     0), 40, 'the acknowledgement')
    erased(s)
    try:
        lab.imap('alice')
    except ImapError as e:
        check(e.status == 'NO', 'LOGIN: %s', e)
    else:
        raise AssertionError('alice got in')
    check('wiped' in str(lab.account_status('alice')), 'status: %s',
          lab.account_status('alice'))
    same(len(s.server.items('alice')), MAILS, 'her mail at the server')
    s.whole('bob', MAILS + 1)


def again(s):
    """She signs in anew: everything comes back, without a new start."""
    lab = s.lab
    s.server.mischief_clear()
    lab.ctl('account', 'password', 'alice', '--password-stdin',
            '--local-password-stdin', '--local',
            stdin='%s\n%s\n' % (lab.passwords['alice'],
                                s.server.password('alice')))
    lab.wait_for(lambda: lab.account_status('alice')['state'] == 'waiting',
                 20, 'alice at rest')
    s.settled('alice')
    s.whole('alice')


def step_wipe_with_clients(s):
    lab = s.lab
    s.settled('alice', 'bob')
    idle = lab.imap('alice', 'INBOX')
    idle.idle()
    smtp = lab.smtp('alice')
    bob = lab.imap('bob', 'INBOX')
    begin_wipe(s)
    line = [b'', b'']
    while not (line[0] == b'*' and line[1].startswith(b'BYE')):
        line = idle._line()
    check(b'wiped' in line[1], 'IDLE: %r', line)
    code, text = smtp.noop()
    check(code == 421 or code == -1, 'SMTP: %d %s', code, text)
    bob.command('NOOP')
    bob.logout()
    wiped(s)
    again(s)
    return 'IDLE: %s; SMTP: %d; bob stays; she begins anew' % (
        line[1].decode(), code)


def killed_at(fault):
    def step(s):
        lab = s.lab
        with open(os.path.join(proc.BUILD, 'config.h')) as f:
            if '#define SEALPOST_FAULTS 1' not in f.read():
                raise Skip('built without --enable-faults')
        if lab.daemon.alive():
            lab.stop()
        fired = os.path.join(lab.dir, 'fired')
        if os.path.exists(fired):
            os.remove(fired)
        lab.start(env=dict(os.environ, SEALPOST_FAULT=fault,
                           SEALPOST_FAULT_LOG=fired))
        s.settled('alice', 'bob')
        check(lab.daemon.alive(), 'it fell before the wipe')
        idle = lab.imap('alice', 'INBOX')
        begin_wipe(s)
        same(lab.daemon.wait(40), FAULT_STATUS, 'the end of the daemon')
        check(os.path.exists(fired), 'the fault did not fire')
        idle.close()
        lab.start()
        wiped(s)
        again(s)
        return 'stopped, started: erased, acknowledged, begun anew'
    step.__name__ = 'step_wipe_killed_at_' + fault.replace(':', '_')
    return step


STEPS = [step_newer_schema, step_second_daemon, step_wipe_with_clients,
         killed_at('unlink:5')]
# Before the order is on disk, at the first file, after the last one.
MORE = [killed_at(f) for f in ('rename:1', 'unlink:1', 'rename:2')]


def main():
    tap = Tap('starts and the wipe')
    wanted = [a for a in sys.argv[1:] if a != '--full']
    steps = STEPS + (MORE if '--full' in sys.argv or wanted else [])
    with Lab('s7') as lab:
        for user in ('alice', 'bob'):
            lab.server.add_user(user)
        lab.server.start()
        for user in ('alice', 'bob'):
            for i in range(MAILS):
                lab.server.inject(user, message(user, '%s-%d' % (user, i)))
            lab.add_account(user, keys=[])
        lab.start()
        tap.run([s for s in steps if not wanted or
                 any(w in s.__name__ for w in wanted)], Starts(lab))
        lab.failed |= tap.failed > 0
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
