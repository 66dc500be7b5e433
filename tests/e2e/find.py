#!/usr/bin/python3
"""Mail looked for at the server, folders emptied there.

    find.py [16.1 | 16.0 | 14.1 | 14.0]
"""
import sys
import threading

from lab import CtlError, Lab
from tap import Tap, check, same


def mail(n, subject, sender='bob', text='Hello.'):
    return ('From: %s <%s@example.test>\r\nTo: alice@example.test\r\n'
            'Subject: %s\r\nDate: Tue, 24 Nov 2026 10:00:%02d +0000\r\n'
            'Message-ID: <%d@find.example.test>\r\n\r\n%s\r\n' % (
                sender.capitalize(), sender, subject, n % 60, n,
                text)).encode()


class Box:
    def __init__(self, lab, version):
        self.lab = lab
        self.server = lab.server
        self.version = version
        self.serial = 0

    def put(self, folder, count, word='trashed'):
        """New mail at the server, seen at the reader."""
        before = len(self.shown(folder))
        for _ in range(count):
            self.serial += 1
            self.server.inject('alice', mail(
                self.serial, '%s %d' % (word, self.serial)), folder)
        self.lab.wait_for(lambda: len(self.shown(folder)) == before + count,
                          20, '%d in %s' % (count, folder))

    def shown(self, folder):
        imap = self.lab.imap('alice', folder)
        uids = imap.search('ALL')
        imap.logout()
        return uids

    def search(self, *args):
        return self.lab.ctl('search', 'alice', *args)

    def empty(self, *args):
        return self.lab.ctl('folder', 'empty', 'alice', *args)

    def empty_if_it_can(self):
        """Not while the account waits after a failure: then None."""
        try:
            return self.empty('Trash')
        except CtlError:
            return None

    def commands(self):
        """What the server was asked since the last time."""
        log = self.server.log()
        new, self.seen = log[getattr(self, 'seen', 0):], len(log)
        return [r['command'] for r in new]

    def refused(self, words, *args):
        try:
            self.lab.ctl(*args)
        except CtlError as e:
            check(words in e.text, '%s: said %s', args, e.text)
            return
        raise AssertionError('%s was not refused' % (args,))

    @staticmethod
    def subject(imap, uid):
        head = imap.body(uid, 'HEADER.FIELDS (SUBJECT)')
        return head.decode().split(':', 1)[1].strip()

    def settled(self, folder, count):
        self.lab.wait_for(lambda: self.lab.is_settled('alice'), 20, 'settled')
        same(len(self.server.items('alice', folder)), count,
             'at the server in %s' % folder)
        same(len(self.shown(folder)), count, 'shown in %s' % folder)


# ---- search

def step_found(b):
    b.put('INBOX', 3, 'zebra')
    b.put('INBOX', 2, 'other')
    b.put('Sent', 1, 'zebra')
    b.commands()
    o = b.search('zebra')
    asked = set(b.commands())
    want, other = ('Find', 'Search') if b.version == '16.1' else (
        'Search', 'Find')
    check(want in asked and other not in asked, 'asked: %s', asked)
    same((o['total'], len(o['mails'])), (4, 4), 'found')
    imap = b.lab.imap('alice', 'INBOX')
    for m in o['mails']:
        check(m['subject'].startswith('zebra'), 'subject %s', m)
        check('bob@example.test' in m['from'], 'from %s', m)
        check(m['date'] > 1700000000, 'date %s', m)
        if m['folder'] == 'INBOX':
            body = imap.body(m['uid'], 'HEADER.FIELDS (SUBJECT)')
            check(m['subject'].encode() in body, 'UID %s is %r', m, body)
    same(sorted(m['folder'] for m in o['mails']),
         ['INBOX', 'INBOX', 'INBOX', 'Sent'], 'folders')
    imap.logout()
    return '4 of 6, each under its UID here, by ' + want


def step_in_a_folder(b):
    o = b.search('zebra', '--folder', 'Sent')
    same([(m['folder'], m['uid'] is not None) for m in o['mails']],
         [('Sent', True)], 'in Sent')
    same(b.search('nothinglikethis')['mails'], [], 'nothing')
    b.refused('there is no folder', 'search', 'alice', 'x', '--folder', 'No')
    b.refused('max', 'search', 'alice', 'x', '--max', '0')
    text = b.lab.ctl('search', 'alice', 'zebra', '--max', '1', as_json=False)
    check('SUBJECT' in text and '(the first 1 of 4' in text, 'text: %s', text)
    return 'only there; nothing; no such folder; the first of four'


def step_many(b):
    b.put('INBOX', 120, 'giraffe')
    o = b.search('giraffe')
    same((len(o['mails']), o['total']), (100, 120), 'by default')
    o = b.search('giraffe', '--max', '1000')
    same(len(o['mails']), 120, 'all')
    same(len({(m['folder'], m['uid']) for m in o['mails']}), 120, 'different')
    return '120 in two pages, none twice'


def step_moved_here(b):
    """What was moved here a moment ago is told where it is shown."""
    imap = b.lab.imap('alice', 'INBOX')
    uid = imap.search('SUBJECT zebra')[0]
    imap.move(uid, 'Drafts')
    o = b.search('zebra')
    imap.logout()
    folders = sorted(m['folder'] for m in o['mails'])
    check('Drafts' in folders or len(folders) == 4, 'folders %s', folders)
    b.lab.wait_for(lambda: b.lab.is_settled('alice'), 20, 'settled')
    same(sorted(m['folder'] for m in b.search('zebra')['mails']),
         ['Drafts', 'INBOX', 'INBOX', 'Sent'], 'folders afterwards')
    return 'found where it is now'


# ---- folder empty

def step_emptied(b):
    b.put('Trash', 250)  # more than a batch
    imap = b.lab.imap('alice', 'Trash')
    b.commands()
    same(b.empty('Trash'), {'messages': 250, 'at_once': True}, 'told')
    imap.command('NOOP')
    same(imap.search('ALL'), [], 'still selected, shown')
    imap.logout()
    b.settled('Trash', 0)
    asked = b.commands()
    check('ItemOperations' in asked, 'asked %s', asked)
    same(b.empty('Trash'), {'messages': 0, 'at_once': False}, 'once more')
    return '250 gone at once, here and there, without a Delete for each'


def step_only_trash(b):
    count = len(b.server.items('alice'))
    b.refused('--force', 'folder', 'empty', 'alice', 'INBOX')
    b.refused('there is no folder', 'folder', 'empty', 'alice', 'Nowhere')
    b.settled('INBOX', count)
    before = len(b.server.items('alice', 'Sent'))
    same(b.empty('Sent', '--force')['messages'], before, 'forced')
    b.settled('Sent', 0)
    b.settled('INBOX', count)
    return 'others are refused, with --force they go, the inbox stays'


def step_arrived_between(b):
    """Mail that is not listed yet when the server is asked is no loss."""
    b.put('Trash', 3)
    b.server.mischief('delay:1500', 'GetItemEstimate', 'alice')
    before = b.server.items('alice', 'Trash')
    late = threading.Timer(0.7, b.server.inject,
                           ('alice', mail(900, 'late'), 'Trash'))
    late.start()
    told = b.empty('Trash')
    late.join()
    b.server.mischief_clear()
    same(told['messages'], 3, 'told')

    def left():
        return [i.header('Subject') for i in b.server.items('alice', 'Trash')]
    b.lab.wait_for(lambda: left() == ['late'], 20, 'only the late one')
    same(len(before), 3, 'before')
    b.lab.wait_for(lambda: len(b.shown('Trash')) == 1, 20, 'shown')
    same(told['at_once'], False, 'one by one')
    b.empty('Trash')
    b.settled('Trash', 0)
    return 'the journal deletes the three, the late one stays'


def step_on_its_way_out(b):
    """A message moved out of the trash, which the server does not know yet."""
    b.put('Trash', 4)
    b.server.mischief('drop-before', 'MoveItems', 'alice', times=2)
    imap = b.lab.imap('alice', 'Trash')
    kept = imap.search('ALL')[0]
    imap.move(kept, 'INBOX')
    imap.logout()
    count = len(b.shown('INBOX'))
    told = b.lab.wait_for(b.empty_if_it_can, 40, 'emptied')['messages']
    b.server.mischief_clear()
    same(told, 3, 'emptied')
    b.lab.wait_for(lambda: b.lab.is_settled('alice') and
                   not b.server.items('alice', 'Trash'), 60, 'settled')
    same(len(b.shown('INBOX')), count, 'the one that was saved')
    same(len(b.server.items('alice')), count, 'at the server')
    return 'it is not lost'


def step_copied_out(b):
    """The copy in INBOX is, for the server, the item in the trash."""
    b.put('Trash', 3)
    imap = b.lab.imap('alice', 'Trash')
    uid = imap.search('ALL')[0]
    subject = b.subject(imap, uid)
    imap.command('UID COPY %d INBOX' % uid)
    imap.logout()
    told = b.empty('Trash')
    same(told, {'messages': 3, 'at_once': False}, 'told')
    b.settled('Trash', 0)
    same([i.header('Subject') for i in b.server.items('alice')
          if i.header('Subject') == subject], [subject], 'at the server')
    imap = b.lab.imap('alice', 'INBOX')
    same(len(imap.search('SUBJECT "%s"' % subject)), 1, 'shown')
    imap.logout()
    return 'the copy stays, here and at the server'


def step_refused(b):
    """EmptyFolderContents fails: the journal has it."""
    b.put('Trash', 5)
    b.lab.wait_for(lambda: b.lab.is_settled('alice'), 20, 'settled')
    b.server.mischief('drop-before', 'ItemOperations', 'alice', times=4)
    same(b.empty('Trash')['messages'], 5, 'told')
    b.server.mischief_clear()
    b.lab.wait_for(lambda: not b.server.items('alice', 'Trash'), 30,
                   'deleted one by one')
    b.settled('Trash', 0)
    return 'the same end, one by one'


def step_killed(b):
    """kill -9 as soon as the answer is there; and with it still under way."""
    b.put('Trash', 5)
    b.server.mischief('delay:3000', 'ItemOperations', 'alice')
    kill = threading.Timer(1.0, lambda: b.lab.daemon.kill())
    kill.start()
    try:
        b.empty('Trash')
        told = True
    except CtlError:
        told = False
    kill.join()
    b.server.mischief_clear()
    b.lab.restart(kill=True)
    if not told and b.server.items('alice', 'Trash') and b.shown('Trash'):
        b.empty('Trash')
    b.lab.wait_for(lambda: not b.server.items('alice', 'Trash'), 30, 'gone')
    b.settled('Trash', 0)
    return 'after a restart the view and the server agree'


STEPS = (step_found, step_in_a_folder, step_many, step_moved_here,
         step_emptied, step_only_trash, step_arrived_between,
         step_on_its_way_out, step_copied_out,
         step_refused, step_killed)


def main(argv):
    version = argv[0] if argv else '16.1'
    tap = Tap('search and empty at %s' % version)
    with Lab('find', 'sandbox:' + version) as lab:
        lab.server.add_user('alice')
        lab.server.add_user('bob')
        lab.server.start()
        lab.add_account('alice')
        lab.start()
        tap.run(STEPS, Box(lab, version))
        lab.failed |= tap.failed > 0
        status = tap.end()
    return status


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
