"""Suites rest and seal: an idle daemon, its start, sealed submissions."""
import json
import os
import subprocess
import time

from lab import Lab
from measure import Row, cpu_s, median, pss_kb
import proc

DOVECOT_REST_MB = 6.9   # SPEC section 15, as it was seen
DOVECOT_START_MS = 46


def quiet(lab):
    """The log as it is by default: what is measured is no debugging."""
    with open(lab.conf) as f:
        text = f.read()
    with open(lab.conf, 'w') as f:
        f.write(text.replace('log_level = debug\n', '', 1))


def rest(args):
    """An idle daemon, one account without mail; then its next starts."""
    with Lab('bench-rest', 'sandbox:16.1') as lab:
        quiet(lab)
        lab.server.add_user('alice')
        lab.server.start()
        lab.add_account('alice', keys=[])
        memory, start = [], []
        for _ in range(args.count):
            began = time.perf_counter()
            lab.start()
            imap = lab.imap('alice')
            start.append((time.perf_counter() - began) * 1000)
            imap.close()
            lab.wait_for(lambda: lab.is_settled('alice'), 30, 'the sync')
            time.sleep(0.5)
            memory.append(pss_kb(lab.daemon.pid) / 1024)
            lab.stop()
    yield Row('daemon at rest, PSS, MB', median(memory), DOVECOT_REST_MB,
              'Dovecot, figure of the specification', wanted=1)
    yield Row('start to signed-in client, ms', median(start),
              DOVECOT_START_MS, 'Dovecot to its greeting, likewise', wanted=1)


def loop(pki, count, size, ours):
    p = subprocess.check_output(
        [proc.program('tests/bench/cms_loop')] + (['--ours'] if ours else [])
        + [pki.cert('alice-sign'), pki.key('alice-sign'), str(count),
           str(size), pki.cert('bob-enc'), pki.cert('alice-enc')])
    return json.loads(p)['cpu_us']


def submit(smtp, turn, mails, size):
    body = ''.join(chr(97 + i % 26) if i % 72 != 71 else '\r\n'
                   for i in range(size))
    for i in range(mails):
        smtp.sendmail(
            'alice@example.test', ['bob@example.test'],
            ('From: alice@example.test\r\nTo: bob@example.test\r\n'
             'Subject: Bench\r\nMessage-ID: <b%d.%d@example.test>\r\n'
             'Date: Sat, 1 Jun 2024 09:00:00 +0000\r\n\r\n%s\r\n'
             % (turn, i, body)).encode())


def seal(args):
    """Submissions, signed and encrypted, RSA-2048: the sealing alone, and
    the whole path from DATA to the copy of Sent that came back and was
    opened."""
    mails = 10 if args.quick else 100
    with Lab('bench-seal', 'sandbox:16.1',
             'sign = always\nencrypt = always\n') as lab:
        quiet(lab)
        for size, name in ((10240, '10 KB'), (1 << 20, '1 MB')):
            n = max(1, mails * 10240 // size * 3)
            a, b = [], []
            for _ in range(args.count):
                a.append(loop(lab.pki, n, size, True))
                b.append(loop(lab.pki, n, size, False))
            yield Row('sealing alone, %s, CPU us' % name, median(a),
                      median(b), 'tight libcrypto loop, 2 recipients',
                      wanted=0.75 if size == 10240 else 1.3)
        for user in ('alice', 'bob'):
            lab.server.add_user(user)
        lab.server.start()
        lab.add_account('alice')
        lab.start()
        lab.add_certificate('alice', 'bob-enc', 'bob')
        ours, rate, peer = [], [], []
        for turn in range(args.count):
            with_login = lab.smtp('alice')  # the login's scrypt apart
            lab.wait_for(lambda: lab.is_settled('alice'), 60, 'the sync')
            before = cpu_s(lab.daemon.pid)
            began = time.perf_counter()
            submit(with_login, turn, mails, 10240)
            rate.append(mails / (time.perf_counter() - began))
            lab.wait_for(lambda: lab.is_settled('alice'), 60, 'the sync')
            ours.append((cpu_s(lab.daemon.pid) - before) * 1e6 / mails)
            with_login.quit()
            peer.append(loop(lab.pki, mails, 10240, False))
    yield Row('whole path of a sealed 10 KB submission, CPU us', median(ours),
              median(peer), 'tight libcrypto loop, 2 recipients', wanted=0.75)
    yield Row('submissions a second, one connection, durable', median(rate),
              1e6 / median(peer), 'the loop, one core', True)
