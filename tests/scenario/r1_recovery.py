#!/usr/bin/python3
"""Recovery, quietly: whatever the server forgets, says or does, view, store
and server are one in the end, UIDs are unchanged, and what a client did
meanwhile (a flag, a move, a deletion, in the journal) is done."""
import os
import shutil
import signal
import sqlite3
import sys
import time

from agree import agree, back, check, cut_off, mail, same, server, \
    unchanged, view
from lab import Lab
from servers import Sandbox
from tap import Tap

POLICY = ('<provision:EASProvisionDoc><provision:RequireManualSyncWhenRoaming>'
          '%d</provision:RequireManualSyncWhenRoaming>'
          '</provision:EASProvisionDoc>')
BOTH = ('INBOX', 'Trash')


class Numbers:
    last = 11


def settled(lab):
    lab.wait_for(lambda: lab.is_settled('alice'), 40, 'nothing left to do')


def fresh(lab, count=4):
    """New mails, listed and with their bodies: their numbers."""
    out = []
    for _ in range(count):
        Numbers.last += 1
        out.append(Numbers.last)
        lab.server.inject('alice', mail(Numbers.last))
    lab.wait_for(lambda: set(out) <= set(view(lab)), 30, 'new mail')
    settled(lab)
    return out


def item(lab, n, folder='INBOX'):
    return [i for i in lab.server.items('alice', folder)
            if i.header('Message-ID') == '<s%d@example.test>' % n][0]


class Edits:
    """A flag, a move and an expunge that the server does not get to hear."""

    def __init__(self, lab, offline=True):
        self.flag, self.move, self.kill, self.keep = fresh(lab)
        self.before = view(lab)
        self.trash = view(lab, 'Trash')
        if offline:
            cut_off(lab)
        c = lab.imap('alice', 'INBOX')
        c.store(self.before[self.flag][0], '+', ['\\Flagged'])
        self.there = c.move(self.before[self.move][0], 'Trash')[
            self.before[self.move][0]]
        c.store(self.before[self.kill][0], '+', ['\\Deleted'])
        c.command('UID EXPUNGE %d' % self.before[self.kill][0])
        c.logout()

    def judge(self, lab, gone=()):
        """Done on both sides, and nothing else has changed."""
        got = agree(lab, BOTH)
        same(set(got['INBOX']),
             set(self.before) - {self.move, self.kill} - set(gone), 'INBOX')
        unchanged(self.before, got['INBOX'], 'UIDs of INBOX')
        unchanged(self.trash, got['Trash'], 'UIDs of Trash')
        check(set(self.trash) | {self.move, self.kill} == set(got['Trash']),
              'Trash: %s', sorted(got['Trash']))
        same(got['Trash'][self.move][0], self.there, 'the COPYUID')
        same(got['INBOX'][self.flag][1] & {'\\Flagged'}, {'\\Flagged'},
             'the flag')
        return got


def trouble(lab, *rules):
    """Edits in the journal, then each rule once; the daemon keeps running."""
    e = Edits(lab)
    lab.server.mischief_clear()
    for do, command in rules:
        lab.server.mischief(do, command)
    hit = len([r for r in lab.server.log() if r.get('mischief')])
    lab.daemon.kill()
    lab.start()
    e.judge(lab)
    struck = [r for r in lab.server.log() if r.get('mischief')][hit:]
    check(len(struck) >= len(rules), '%d of %d faults struck', len(struck),
          len(rules))


def step_statuses(lab):
    """What says in its document that a key is not known."""
    n = 0
    for do, command in (('inline:3', 'Sync'), ('inline:12', 'Sync'),
                        ('inline:9', 'FolderSync'),
                        ('inline:12', 'FolderSync'),
                        ('inline:132', 'Sync'), ('inline:134', 'Sync'),
                        ('inline:136', 'Sync'), ('inline:3', 'MoveItems'),
                        ('inline:5', 'MoveItems'), ('inline:7', 'Ping')):
        trouble_one(lab, do, command)
        n += 1
    return '%d statuses' % n


def trouble_one(lab, do, command):
    """The edit is there in time for the fault to meet it."""
    e = Edits(lab)
    lab.daemon.kill()
    lab.server.mischief_clear()
    lab.server.mischief(do, command)
    lab.start()
    try:
        e.judge(lab)
    except AssertionError as x:
        raise AssertionError('%s at %s: %s' % (do, command, x)) from x
    lab.server.mischief_clear()


def step_garbage_keys(lab):
    """Keys of ours that no server ever gave."""
    e = Edits(lab)
    lab.daemon.kill()
    path = os.path.join(lab.dir, 'state', 'alice', 'store.db')
    if not os.path.exists(path):
        path = [os.path.join(d, 'store.db') for d, _, f in
                os.walk(os.path.join(lab.dir, 'state')) if 'store.db' in f][0]
    with sqlite3.connect(path) as db:
        n = db.execute("UPDATE folder SET key = 'garbage' WHERE key <> '0'"
                       ).rowcount
        db.execute("UPDATE meta SET value = '{no}%41' WHERE name ="
                   " 'hierarchy-key'")
    db.close()
    check(n >= 4, '%d keys', n)
    lab.server.mischief_clear()
    lab.start()
    e.judge(lab)
    return '%d folders and their list' % n


def step_html_pages(lab):
    for status in (500, 501, 502):
        for command in ('Sync', 'FolderSync', 'MoveItems', 'Ping'):
            trouble_one(lab, 'status:%d' % status, command)
    return '3 statuses x 4 commands'


def step_partnership_removed(lab):
    trouble(lab, ('forget-device', 'Sync'))
    trouble(lab, ('forget-device', 'FolderSync'))
    return 'keys, folders and policy forgotten at once'


def step_policy_in_mid_work(lab):
    for allow in (1, 0):
        e = Edits(lab)
        lab.server.policy(POLICY % allow)
        back(lab)
        e.judge(lab)
        e = Edits(lab)
        lab.server.mischief_clear()
        lab.server.mischief('policy', 'Sync')
        lab.daemon.kill()
        lab.start()
        e.judge(lab)
    lab.server.policy('')
    return 'a new one, a changed one, and one that counts as old'


def step_items_twice_and_unknown(lab):
    for do in ('twice', 'again:5', 'reverse', 'delete-unknown'):
        lab.server.mischief(do, times=0)
        e = Edits(lab, offline=False)
        e.judge(lab)
        lab.server.mischief_clear()
        lab.server.mischief(do, times=0)
        e = Edits(lab, offline=False)
        lab.server.mischief('reset-key', 'Sync')
        e.judge(lab)
        lab.server.mischief_clear()
    return 'in Sync after Sync and in a relist'


def step_folders(lab):
    """Renamed, moved, deleted, made anew by somebody else, while a client
    changed what is in them."""
    c = lab.imap('alice')
    for name in ('Work', 'Work/Deep', 'Old', 'Gone'):
        c.command('CREATE %s' % name)
    a, b, d, g = fresh(lab)
    c.select('INBOX')
    uids = view(lab)
    for n, to in ((a, 'Work'), (b, 'Work/Deep'), (d, 'Old'), (g, 'Gone')):
        c.move(uids[n][0], to)
    settled(lab)
    deep, old = view(lab, 'Work/Deep'), view(lab, 'Old')
    cut_off(lab)
    for f, uid in (('Work/Deep', deep[b][0]), ('Old', old[d][0])):
        c.select(f)
        c.store(uid, '+', ['\\Flagged'])
    c.select('Gone')
    c.store(view(lab, 'Gone')[g][0], '+', ['\\Flagged'])
    c.logout()
    root = os.path.join(lab.server.root, 'alice@example.test')
    lab.server.stop()
    lab.daemon.kill()
    # to the server they are others now: new ids, the old ones are no more
    os.rename(os.path.join(root, 'Work'), os.path.join(root, 'Play'))
    shutil.rmtree(os.path.join(root, 'Gone'))
    state = os.path.join(lab.server.root, 'state', 'alice@example.test',
                         'folders')
    with open(state) as f:
        lines = f.read().splitlines()
    with open(state, 'w') as f:
        # `Old` was removed and made again: it has another id
        f.write('\n'.join(x for x in lines if not x.endswith('\tOld')) + '\n')
    lab.server.start()
    lab.start()
    settled(lab)
    lab.wait_for(lambda: 'Play/Deep' in lab.imap('alice').folders(), 20,
                 'the new folder')
    got = agree(lab, ('INBOX', 'Play', 'Play/Deep', 'Old'))
    names = set(lab.imap('alice').folders())
    check(not names & {'Work', 'Work/Deep', 'Gone'}, 'folders: %s', names)
    same((set(got['Play']), set(got['Play/Deep']), set(got['Old'])),
         ({a}, {b}, {d}), 'what is where')
    return 'nothing lost, nothing twice'


def step_backup_put_back(lab):
    """The server as it was before: mail of later is gone, ids of later mean
    other mails, and what we know is newer than what it knows."""
    settled(lab)
    lab.server.stop()
    saved = os.path.join(lab.dir, 'backup')
    shutil.copytree(lab.server.root, saved)
    lab.server.start()
    lost = fresh(lab, 3)
    uids = view(lab)
    e = Edits(lab)
    lost += [e.flag, e.move, e.kill, e.keep]
    lab.daemon.kill()
    lab.server.stop()
    violations = os.path.join(lab.server.root, 'violations')
    check(not os.path.exists(violations) or not os.path.getsize(violations),
          'violations before the backup')
    shutil.rmtree(lab.server.root)
    shutil.copytree(saved, lab.server.root)
    shutil.rmtree(saved)
    lab.server.start()
    later = []
    for _ in range(4):
        Numbers.last += 1
        later.append(Numbers.last)
        lab.server.inject('alice', mail(Numbers.last))
    lab.start()
    lab.wait_for(lambda: set(later) <= set(view(lab)), 40, 'later mail')
    got = agree(lab, BOTH)
    kept = {n: v for n, v in uids.items() if n not in lost}
    unchanged(kept, got['INBOX'], 'UIDs of what both have')
    same(set(got['INBOX']), set(kept) | set(later), 'INBOX')
    used = {v[0] for v in uids.values()} | {v[0] for v in e.before.values()}
    check(not used & {got['INBOX'][n][0] for n in later},
          'a UID came to another message')
    return '%d mails of after the backup gone, %d new' % (len(lost),
                                                          len(later))


def step_ids_reused(lab):
    """Other ids for all, and each the id of another."""
    for do in ('renumber', 'swap-ids'):
        e = Edits(lab)
        lab.daemon.kill()
        lab.server.mischief_clear()
        lab.server.mischief(do, 'Sync')
        lab.start()
        try:
            e.judge(lab)
        except AssertionError as x:
            raise AssertionError('%s: %s' % (do, x)) from x
    return 'the print tells them apart'


def clock(lab, seconds):
    with open(os.path.join(lab.dir, 'clock.new'), 'w') as f:
        f.write('%d' % seconds)
    os.rename(os.path.join(lab.dir, 'clock.new'),
              os.path.join(lab.dir, 'clock'))


def step_clock_jumps(lab):
    """Ten years on with rows that were postponed, and back again."""
    for years in (10, -10, 0):
        e = Edits(lab)
        lab.server.mischief_clear()
        lab.server.mischief('inline:5', 'Sync', times=2)
        clock(lab, years * 365 * 86400)
        time.sleep(1)
        lab.daemon.kill()
        lab.start()
        e.judge(lab)
        e = Edits(lab, offline=False)
        e.judge(lab)
    # A row that waits for a time that was only the clock's.
    clock(lab, 10 * 365 * 86400)
    lab.server.mischief('inline:7', 'MoveItems', times=2)
    e = Edits(lab, offline=False)
    time.sleep(0.5)
    clock(lab, 0)
    e.judge(lab)
    lab.server.mischief_clear()
    return 'ten years on, back, and back again'


def step_suspended(lab):
    """Stopped for longer than a heartbeat, while its connections are closed;
    the client's connection lives on."""
    e = Edits(lab, offline=False)
    e.judge(lab)
    c = lab.imap('alice', 'INBOX')
    lab.daemon.proc.send_signal(signal.SIGSTOP)
    lab.server.stop()
    Numbers.last += 1
    n = Numbers.last
    lab.server.start()
    lab.server.inject('alice', mail(n))
    lab.server.remove('alice', item(lab, e.keep))
    time.sleep(3)
    lab.daemon.proc.send_signal(signal.SIGCONT)
    began = time.monotonic()
    lab.wait_for(lambda: c.command('NOOP') and n in view(lab), 15,
                 'mail that came meanwhile')
    took = time.monotonic() - began
    lab.wait_for(lambda: e.keep not in view(lab), 20,
                 'a deletion that happened meanwhile')
    c.logout()
    unchanged(e.before, agree(lab)['INBOX'], 'UIDs')
    return 'new mail %.1f s after it was woken' % took


def step_days_without_network(lab):
    """Three days by the clock, a kill on each, changes and a mail to send."""
    e = Edits(lab)
    text = lab.submit('alice', mail(900, 'offline').replace(
        b'From: Bob <bob@example.test>', b'From: alice@example.test').replace(
        b'To: alice', b'To: bob'), ['bob@example.test'])
    for day in (1, 2, 3):
        clock(lab, day * 86400)
        c = lab.imap('alice', 'INBOX')
        uid = e.before[e.keep][0]
        c.store(uid, '-+'[day % 2], ['\\Flagged'])
        c.logout()
        lab.restart(kill=True)
    same(len(lab.queue('alice')) if isinstance(lab.queue('alice'), list)
         else lab.queue('alice'), 1, 'the queue')
    Numbers.last += 1
    n = Numbers.last
    lab.server.mischief_clear()
    lab.server.inject('alice', mail(n))
    lab.restart(kill=True)
    lab.wait_for(lambda: n in view(lab), 40, 'mail of meanwhile')
    e.before[n] = view(lab)[n]
    got = e.judge(lab)
    same(got['INBOX'][e.keep][1] & {'\\Flagged'}, {'\\Flagged'}, 'last word')
    lab.wait_for(lambda: lab.server.items('bob'), 40, 'the mail')
    lab.wait_for(lambda: not lab.queue('alice'), 20, 'an empty queue')
    same(len(lab.server.items('bob')), 1, 'how often it was sent')
    clock(lab, 0)
    return 'three days, four kills; "%s"' % text


def step_mailbox_moved(lab):
    """451 to another server; also after a restart nobody asks the old one."""
    e = Edits(lab)
    lab.daemon.kill()
    lab.server.stop()
    other = Sandbox(lab, name='moved')
    shutil.rmtree(other.root)
    shutil.copytree(lab.server.root, other.root)
    other.users = dict(lab.server.users)
    lab.server.start()
    other.start()
    lab.server.mischief('451:' + other.url, times=0)
    lab.start()
    old = lab.server
    try:
        lab.server = other
        e.judge(lab)
        asked = len(old.log())
        lab.restart()
        e.judge(lab)
        fresh(lab, 1)
        same(len(old.log()), asked, 'requests to the old server')
    finally:
        old.stop()
    return 'moved with a journal, and remembered'


STEPS = [step_statuses, step_garbage_keys, step_html_pages,
         step_partnership_removed, step_policy_in_mid_work,
         step_items_twice_and_unknown, step_folders, step_backup_put_back,
         step_ids_reused, step_clock_jumps, step_suspended,
         step_days_without_network, step_mailbox_moved]


def alone(step):
    """Nothing of a step before it is left, also when that has failed."""
    def run(lab):
        lab.server.mischief_clear()
        clock(lab, 0)
        return step(lab)
    run.__name__ = step.__name__
    return run


def main():
    tap = Tap('R1 recovery')
    # Waiting after trouble is made short, and the clock is a file.
    with Lab('r1', 'sandbox') as lab:
        os.environ['SEALPOST_FAULT_HURRY'] = '60'
        os.environ['SEALPOST_FAULT_CLOCK'] = os.path.join(lab.dir, 'clock')
        for user in ('alice', 'bob'):
            lab.server.add_user(user)
        lab.server.start()
        for n in range(12):
            lab.server.inject('alice', mail(n))
        lab.add_account('alice', keys=[])
        lab.start()
        settled(lab)
        only = sys.argv[1:]
        tap.run([alone(s) for s in STEPS if not only or s.__name__[5:] in only], lab)
        lab.failed |= tap.failed > 0
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
