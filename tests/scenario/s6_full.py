#!/usr/bin/python3
"""Scenario 6, full disk: the state directory is a file system that is really
full, twice: once with the reserve, once without. Needs root for the mount."""
import os
import smtplib
import subprocess
import sys
import time

from agree import agree, check, mail, same, unchanged, view
from imapwire import ImapError
from lab import Lab
from tap import Tap

SIZE = 40 << 20
RESERVE = 16 << 20


def state(lab, *more):
    return os.path.join(lab.dir, 'state', *more)


def reserve(lab):
    try:
        return os.stat(state(lab, 'accounts', 'alice', 'reserve')).st_size
    except FileNotFoundError:
        return 0


def fill(lab):
    with open(state(lab, 'fill'), 'ab', 0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    f.write(b'x' * size)
            except OSError:
                pass


def room(lab):
    os.unlink(state(lab, 'fill'))


def told(what):
    """True, or False with the refusal that such a disk has; all else is a
    failure."""
    try:
        what()
        return True
    except ImapError as e:
        check('UNAVAILABLE' in str(e), 'IMAP says %s', e)
    except smtplib.SMTPResponseException as e:
        same(e.smtp_code, 452, 'SMTP')
    return False


def submit(lab, n):
    lab.submit('alice', mail(n).replace(b'From: Bob <bob@', b'From: <alice@'),
               ['bob@example.test'])


def work(lab, first):
    """What clients and the server do meanwhile; what was promised."""
    c = lab.imap('alice', 'INBOX')
    uids = {n: v[0] for n, v in view(lab).items()}
    promised = {}
    for n in (1, 2):
        promised[n] = told(lambda: c.store(uids[n], '+', ['\\Flagged']))
    c.logout()
    big = mail(first, 'Big') + b'0123456789' * 7 + b'\r\n'
    lab.server.inject('alice', big + (b'x' * 76 + b'\r\n') * 20000)
    lab.server.inject('alice', mail(first + 1))
    sent = told(lambda: submit(lab, first + 2))
    time.sleep(2)
    check(lab.daemon.alive(), 'the daemon ended')
    return promised, sent


def mended(lab, before, first, promised, sent):
    room(lab)
    lab.wait_for(lambda: {first, first + 1} <= set(view_or_none(lab)), 60,
                 'the new mail')
    after = agree(lab)['INBOX']
    unchanged(before, after, 'UIDs')
    for n, done in promised.items():
        if done:
            check('\\Flagged' in after[n][1], 'number %d lost its flag', n)
    lab.wait_for(lambda: not lab.queue('alice'), 40, 'the queue')
    got = [i for i in lab.server.items('bob')
           if i.header('Message-ID') == '<s%d@example.test>' % (first + 2)]
    same(len(got), int(sent), 'copies at the recipient')
    lab.restart(kill=True)
    same(agree(lab)['INBOX'], after, 'after kill -9')


def view_or_none(lab):
    try:
        return view(lab)
    except ImapError as e:
        check('UNAVAILABLE' in str(e), 'IMAP says %s', e)
        return {}


def step_the_reserve_is_given_up(lab):
    same(reserve(lab), RESERVE, 'the reserve')
    before = view(lab)
    fill(lab)
    promised, sent = work(lab, 20)
    same(reserve(lab), 0, 'the reserve of a full disk')
    mended(lab, before, 20, promised, sent)
    return 'flags %s, submission %s' % (
        sorted(promised.values()), 'taken' if sent else '452')


def step_nothing_is_left(lab):
    before = view(lab)
    if reserve(lab):
        os.unlink(state(lab, 'accounts', 'alice', 'reserve'))
    fill(lab)
    promised, sent = work(lab, 30)
    check(not sent, 'a submission was taken without room for it')
    mended(lab, before, 30, promised, sent)
    return 'flags %s, submission %s' % (
        sorted(promised.values()), 'taken' if sent else '452')


def main():
    tap = Tap('S6 full disk')
    with Lab('s6-full', 'sandbox') as lab:
        os.makedirs(state(lab), 0o700, exist_ok=True)
        if os.getuid() or subprocess.run(
                ['mount', '-t', 'tmpfs', '-o', 'size=%d,mode=700' % SIZE,
                 'tmpfs', state(lab)], stderr=subprocess.DEVNULL).returncode:
            print('1..0 # SKIP no right to mount a tmpfs')
            return 0
        try:
            for user in ('alice', 'bob'):
                lab.server.add_user(user)
            lab.server.start()
            for n in range(8):
                lab.server.inject('alice', mail(n))
            lab.add_account('alice', keys=[])
            lab.start()
            lab.wait_for(lambda: lab.is_settled('alice'), 30, 'first sync')
            tap.run([step_the_reserve_is_given_up, step_nothing_is_left], lab)
            lab.failed |= tap.failed > 0
            lab.stop()
        finally:
            subprocess.run(['umount', '-l', state(lab)], check=False)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
