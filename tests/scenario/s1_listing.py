#!/usr/bin/python3
"""Scenario 1: the first listing of a folder, cut, dropped, killed and begun
again, while items come twice and in the wrong order and mail comes, goes and
changes; a SELECT waits meanwhile. Then a narrower and a wider sync_window on the
live store, with a kill between. S1_COUNT=50000: the mails of the first listing."""
import datetime
import os
import random
import sys
import threading

from agree import Lab, Tap, check, mail, same, server, view

COUNT = int(os.environ.get('S1_COUNT', 3000))
NEW = 60  # of these days, so that a window of a week has something in it
SLOW = max(1, COUNT // 3000)


class Old:
    """A mail as the server's folder has it from before."""

    def __init__(self, n, date, flags=()):
        self.raw = mail(n)
        self.date = date
        self.flags = set(flags)


def mailbox():
    """Dates in no order, many of them equal, some of 1970."""
    r = random.Random(1)
    first = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    out = []
    for n in range(COUNT):
        date = first + datetime.timedelta(minutes=r.randrange(COUNT // 2))
        if n % 500 == 499:
            date = datetime.datetime(1970, 1, 2,
                                     tzinfo=datetime.timezone.utc)
        if n < NEW:
            date = datetime.datetime.now(datetime.timezone.utc) \
                - datetime.timedelta(days=n / 4, hours=1)
        out.append(Old(n, date, ['\\Seen'] if n % 3 == 0 else []))
    return out


def waiting_select(lab, got):
    try:
        c = lab.imap('alice', timeout=60)
        got.append(c.select('INBOX'))
        c.close()
    except Exception as e:  # the daemon is killed meanwhile
        got.append(e)


def windows(lab):
    return len([r for r in lab.server.log() if r['command'] == 'Sync'
                and r['bytes'] > 20000 and r['http'] == 200])


def step_cut_and_killed(lab):
    lab.server.mischief('drop-after', 'Sync')
    lab.server.mischief('cut', 'Sync')
    lab.server.mischief('twice', 'Sync', times=0)
    lab.server.mischief('reverse', 'Sync', times=0)
    lab.server.mischief('delay:150', 'Sync', times=40)
    lab.start()
    got = []
    waiter = threading.Thread(target=waiting_select, args=(lab, got))
    waiter.start()
    for _ in range(3):
        have = windows(lab)
        lab.wait_for(lambda: windows(lab) > have
                     or not lab.account_status('alice')['bodies_missing'] == 0,
                     30, 'a window')
        lab.restart(kill=True)
    waiter.join(70)
    check(not waiter.is_alive(), 'a SELECT hangs')
    return '%d windows before the last start' % windows(lab)


def step_changes_meanwhile(lab):
    items = {int(i.header('Message-ID')[2:].split('@')[0]): i
             for i in lab.server.items('alice')}
    lab.server.remove('alice', items[10])
    lab.server.remove('alice', items[COUNT - 10])
    lab.server.set_flags('alice', items[11], add={'\\Flagged'})
    lab.server.inject('alice', mail(COUNT))
    got = []
    waiting_select(lab, got)
    check(got and not isinstance(got[0], Exception), 'SELECT: %r', got)
    lab.server.mischief_clear()
    return 'two go, one changes, one comes'


def step_numbers(lab):
    def there():
        c = lab.imap('alice')
        n = c.status('INBOX')['MESSAGES']
        c.logout()
        return int(n) == COUNT - 1
    lab.wait_for(there, 40 * SLOW, 'all are listed')
    lab.wait_for(lambda: lab.is_settled('alice'), 60 * SLOW,
                 'the bodies are here')
    shown = view(lab)
    same({n: v[1] for n, v in shown.items()}, server(lab), 'view and server')
    c = lab.imap('alice', 'INBOX')
    dates = [(d['UID'], d['INTERNALDATE'])
             for d in c.all('(UID INTERNALDATE)').values()]
    c.logout()
    def when(text):
        return datetime.datetime.strptime(str(text).strip('"').strip(),
                                          '%d-%b-%Y %H:%M:%S %z')
    dates = [when(d) for _, d in sorted(dates)]
    # The last ones may have come after the numbering.
    late = sum(a > b for a, b in zip(dates, dates[1:]))
    check(late <= 1, '%d UIDs are not in the order of the dates', late)
    return '%d messages, UIDs in the order of their dates' % len(shown)


def set_window(lab, window):
    with open(lab.conf) as f:
        lines = [x for x in f.read().splitlines()
                 if not x.startswith('sync_window')]
    with open(lab.conf, 'w') as f:
        f.write('\n'.join(['sync_window = ' + window] + lines) + '\n')
    have = len(lab.server.log())
    lab.ctl('reload')
    lab.wait_for(lambda: len([r for r in lab.server.log()[have:]
                              if r['command'] == 'Sync']) > 0
                 and lab.is_settled('alice'), 30 * SLOW, 'a look at it all')


def uids(shown):
    return {n: v[0] for n, v in shown.items()}


def step_narrower(lab):
    before = view(lab)
    set_window(lab, '1w')
    same(uids(view(lab)), uids(before), 'UIDs under a window of a week')
    # A change to what is out of it stays here, also over a kill.
    asked = len(lab.server.log())
    c = lab.imap('alice', 'INBOX')
    c.command('UID STORE %d +FLAGS (\\Flagged)' % before[100][0])
    c.logout()
    lab.wait_for(lambda: lab.is_settled('alice'), 10, 'rest')
    lab.restart(kill=True)
    lab.wait_for(lambda: lab.is_settled('alice'), 30, 'rest after the kill')
    check(not any(r['command'] == 'MoveItems'
                  for r in lab.server.log()[asked:]), 'something was moved')
    check('\\Flagged' not in server(lab)[100], 'it was sent')
    now = view(lab)
    same(uids(now), uids(before), 'UIDs after a kill')
    check('\\Flagged' in now[100][1], 'the local flag is lost')
    # What is in it lives on.
    items = {int(i.header('Message-ID')[2:].split('@')[0]): i
             for i in lab.server.items('alice')}
    lab.server.remove('alice', items[4])
    lab.server.inject('alice', mail(COUNT + 1))
    lab.wait_for(lambda: COUNT + 1 in view(lab) and 4 not in view(lab), 30,
                 'news inside the window')
    check(view(lab)[COUNT + 1][0] > max(uids(before).values()), 'a low UID')
    return '%d messages stay' % len(before)


def step_wider(lab):
    before = view(lab)
    set_window(lab, 'all')
    lab.wait_for(lambda: {n: v[1] for n, v in view(lab).items()}
                 == server(lab), 40 * SLOW, 'view and server agree', 1)
    same(uids(view(lab)), uids(before), 'UIDs under a wider window')
    return 'all %d are known again under their UIDs' % len(before)


def main():
    tap = Tap('S1 a first listing of %d messages' % COUNT)
    with Lab('s1', 'sandbox') as lab:
        lab.server.add_user('alice')
        lab.server.put('alice', mailbox())
        lab.server.start()
        lab.add_account('alice', keys=[])
        tap.run([step_cut_and_killed, step_changes_meanwhile, step_numbers,
                 step_narrower, step_wider], lab)
        lab.failed |= tap.failed > 0
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
