"""Mailboxes of any size, the same at each run, as Maildirs."""
import os
import random

WORDS = ('report order meeting server invoice question travel contract '
         'garden network budget review release customer morning answer '
         'holiday delivery engine paper').split()
BEGIN = 1600000000


def mail(n, size):
    r = random.Random(n)
    subject = ' '.join(r.choice(WORDS) for _ in range(4))
    body, have = [], 0
    while have < size:
        line = ' '.join(r.choice(WORDS) for _ in range(10))
        body.append(line)
        have += len(line) + 2
    return ('Return-Path: <p%d@example.net>\r\n'
            'From: Person %d <p%d@example.net>\r\n'
            'To: Alice Example <alice@example.test>\r\n'
            'Subject: %s %d\r\n'
            'Message-ID: <bench-%d@example.net>\r\n'
            'Date: Sat, 1 Jun 2024 09:00:00 +0000\r\n'
            'MIME-Version: 1.0\r\n'
            'Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n'
            % (n % 97, n % 97, n % 97, subject, n, n,
               '\r\n'.join(body))).encode()


def fill(maildir, count, size=2000):
    """Every tenth is unread, every fiftieth flagged. The bytes written."""
    for sub in ('cur', 'new', 'tmp'):
        os.makedirs(os.path.join(maildir, sub), exist_ok=True)
    total = 0
    for n in range(count):
        raw = mail(n, size)
        total += len(raw)
        flags = ('F' if n % 50 == 0 else '') + ('S' if n % 10 else '')
        path = os.path.join(maildir, 'cur', '%d.M%dP1.bench:2,%s'
                            % (BEGIN + n * 60, n, flags))
        with open(path, 'wb') as f:
            f.write(raw)
        os.utime(path, (BEGIN + n * 60,) * 2)
    return total
