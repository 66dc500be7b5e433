"""What is going on when sealpostd stops, and what must be so afterwards.

prepare(lab): once, before the first case; ends with everything stopped.
act(lab):     what a client does; a stop may come at any moment. What the
              client was told is noted in `told`.
settle(lab):  until the daemon has nothing left to do.
finish(lab):  after the restart: what a client would do again.
judge(lab):   lost, doubled, and other differences, as lists of words.

never names the kinds of stops that a quiet run of a scenario has no point for:
there is no series of them.
"""
import datetime
import email.utils
import smtplib

import mails
from imapwire import ImapError
from servers import address, header

WHEN = datetime.datetime(2024, 5, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
USERS = ('alice', 'bob')
FOLDERS = ('INBOX', 'Drafts', 'Sent', 'Trash')


class Scenario:
    name = ''
    secrets = []
    never = []
    folders = FOLDERS
    count = 12

    def begin(self):
        """Before each case."""
        self.told = {}      # (user, folder) -> {'validity', uid: ident}
        self.promised = False
        self.broken = None

    def users(self, lab):
        for user in USERS:
            lab.server.add_user(user)
        lab.server.publish('bob', [lab.pki.pem('bob-enc')])
        lab.server.publish('alice', [lab.pki.pem('alice-enc')])

    def mails(self):
        """Ordinary ones, not in the order of their dates."""
        out = []
        for n in range(self.count):
            ident = 'c%02d' % n
            when = WHEN + datetime.timedelta(minutes=(n * 7) % self.count)
            raw = mails.head(ident, when, 'Crash %d' % n).encode() \
                + b'\r\n' + b'Text of %s.\r\n' % ident.encode() * 20
            out.append(mails.Mail(ident, 'plain', raw, when))
        return out

    def prepare(self, lab):
        self.users(lab)
        lab.server.put('bob', self.mails())
        lab.server.start()
        for user in USERS:
            lab.add_account(user)
        self.synced(lab)

    def synced(self, lab):
        """Everything is here before the first case."""
        lab.start()
        self.settle(lab)
        lab.stop()

    def settle(self, lab):
        for user in USERS:
            lab.wait_for(lambda: lab.is_settled(user), 20,
                         'rest of ' + user, 0.01)

    # ---- what a client sees ----

    def look(self, lab, user='bob', folder='INBOX'):
        """{'validity': n, uid: ident, ...}; must not differ from what was
        told before."""
        imap = lab.session(user)
        seen = {'validity': imap.select(folder)['UIDVALIDITY']}
        got = imap.all('(UID BODY.PEEK[HEADER.FIELDS (X-Test-Id '
                       'Message-ID)])')
        for uid, d in got.items():
            top = next(v for k, v in d.items() if k.startswith('BODY['))
            seen[uid] = header(top, 'X-Test-Id') \
                or header(top, 'Message-ID')
        return seen

    def note(self, lab, user='bob', folder='INBOX'):
        seen = self.look(lab, user, folder)
        self.told.setdefault((user, folder), {}).update(seen)
        return seen

    def differences(self, lab):
        """UIDs that changed their message, folders that changed theirs."""
        out = []
        for (user, folder), told in self.told.items():
            now = self.look(lab, user, folder)
            for key, value in told.items():
                if key in now and now[key] != value:
                    out.append('%s/%s: %s was %s, is %s' % (
                        user, folder, key, value, now[key]))
                elif key == 'validity' and key not in now:
                    out.append('no UIDVALIDITY')
        return out

    def counted(self, lab, user, ident):
        """Where the server has it: a list of folders."""
        name = 'Message-ID' if ident.startswith('<') else 'X-Test-Id'
        out = []
        for folder in self.folders:
            out += [folder for i in lab.server.items(user, folder)
                    if i.header(name) == ident]
        return out

    def all_once(self, lab, where):
        """ident -> folder for the mails of the server and of the client."""
        lost, doubled, detail = [], [], self.differences(lab)
        shown = {}
        for folder in self.folders:
            for uid, ident in self.look(lab, 'bob', folder).items():
                if uid != 'validity':
                    shown.setdefault(ident, []).append(folder)
        for ident, folder in where.items():
            for got, who in ((self.counted(lab, 'bob', ident), 'server'),
                             (shown.get(ident, []), 'client')):
                if not got:
                    lost.append('%s (%s)' % (ident, who))
                elif len(got) > 1:
                    doubled.append('%s (%s: %s)' % (ident, who, got))
                elif got[0] != folder:
                    detail.append('%s (%s) is in %s' % (ident, who, got[0]))
        for ident in shown:
            if ident not in where:
                detail.append('%s came from nowhere' % ident)
        return lost, doubled, detail


class FirstSync(Scenario):
    name = 'first-sync'
    never = ['unlink']

    def synced(self, lab):
        """Nothing: the first sync is what is stopped."""

    def act(self, lab):
        self.note(lab)

    def finish(self, lab):
        self.note_again = self.look(lab)
        self.settle(lab)

    def judge(self, lab):
        lost, doubled, detail = self.all_once(
            lab, {m.ident: 'INBOX' for m in self.mails()})
        seen = self.look(lab)
        dates = {m.ident: m.date for m in self.mails()}
        order = [dates[seen[u]] for u in sorted(x for x in seen
                                                if x != 'validity')]
        if order != sorted(order):
            detail.append('UIDs are not in the order of the dates')
        return lost, doubled, detail


class FlagChange(Scenario):
    name = 'flag'
    never = ['write', 'rename', 'unlink']

    def store(self, lab):
        uid = {v: k for k, v in self.note(lab).items()}
        imap = lab.session('bob')
        imap.store(uid['c03'], '+', ['\\Seen', '\\Flagged'])
        imap.store(uid['c04'], '+', ['\\Seen'])

    def act(self, lab):
        self.settle(lab)
        self.store(lab)
        self.promised = True

    def finish(self, lab):
        if not self.promised:
            self.store(lab)
        self.settle(lab)

    def judge(self, lab):
        lost, doubled, detail = self.all_once(
            lab, {m.ident: 'INBOX' for m in self.mails()})
        want = {'c03': {'\\Seen', '\\Flagged'}, 'c04': {'\\Seen'}}
        for i in lab.server.items('bob'):
            ident = i.header('X-Test-Id')
            if i.flags != want.get(ident, set()):
                lost.append('flags of %s: %s at the server'
                            % (ident, sorted(i.flags)))
        seen = self.look(lab)
        imap = lab.session('bob')
        for uid, d in imap.all('(UID FLAGS)').items():
            flags = d['FLAGS'] - {'\\Recent'}
            if flags != want.get(seen[uid], set()):
                lost.append('flags of %s: %s at the client'
                            % (seen[uid], sorted(flags)))
        return lost, doubled, detail


class Move(Scenario):
    name = 'move'
    never = ['write', 'rename', 'unlink']
    moved = ('c05', 'c06')

    def move(self, lab):
        seen = self.look(lab)
        which = [str(u) for u, ident in seen.items() if ident in self.moved]
        if not which:
            return
        pairs = lab.session('bob').move(','.join(which), 'Trash')
        for old, new in pairs.items():
            self.told.setdefault(('bob', 'Trash'), {})[new] = seen[old]

    def act(self, lab):
        self.settle(lab)
        self.note(lab)
        self.note(lab, folder='Trash')
        self.move(lab)
        self.promised = True

    def finish(self, lab):
        if not self.promised:
            self.move(lab)
        self.settle(lab)

    def judge(self, lab):
        return self.all_once(lab, {
            m.ident: 'Trash' if m.ident in self.moved else 'INBOX'
            for m in self.mails()})


class Submission(Scenario):
    """Signed and encrypted: what is secret must not lie on the disk."""
    name = 'submit'
    count = 3
    ident = '<crash@client.example.test>'
    secrets = [b'the secret of the submission']

    def act(self, lab):
        raw = ('From: alice@example.test\r\nTo: bob@example.test\r\n'
               'Subject: Crash\r\nDate: %s\r\nMessage-ID: %s\r\n'
               'X-Sealpost: sign=yes; encrypt=yes\r\n\r\n%s\r\n' % (
                   email.utils.format_datetime(WHEN), self.ident,
                   self.secrets[0].decode())).encode()
        self.settle(lab)
        self.note(lab)
        lab.submit('alice', raw, ['bob@example.test'])
        self.promised = True
        self.seen(lab)

    def seen(self, lab):
        """Both have what became of it, when anything did."""
        if not self.counted(lab, 'bob', self.ident):
            return
        for user, folder in (('bob', 'INBOX'), ('alice', 'Sent')):
            lab.wait_for(lambda: self.ident in self.look(
                lab, user, folder).values(), 20, 'the mail in ' + folder,
                0.02)

    def finish(self, lab):
        self.settle(lab)
        lab.wait_for(lambda: not lab.queue('alice'), 100, 'an empty queue',
                     0.01)
        if self.promised:
            lab.wait_for(lambda: self.counted(lab, 'bob', self.ident), 5,
                         'the delivery', 0.01)
        self.seen(lab)
        self.settle(lab)

    def judge(self, lab):
        lost, doubled, detail = self.all_once(
            lab, {m.ident: 'INBOX' for m in self.mails()} | {
                self.ident: 'INBOX' for _ in [1]
                if self.counted(lab, 'bob', self.ident)})
        got = self.counted(lab, 'bob', self.ident)
        sent = self.counted(lab, 'alice', self.ident)
        shown = [x for x in self.look(lab, 'alice', 'Sent').values()
                 if x == self.ident]
        if self.promised and not got:
            lost.append('the mail that was answered with 250')
        if len(sent) > 1:
            doubled.append('the copy in Sent: %s' % sent)
        if len(sent) != len(got):
            detail.append('delivered %d, in Sent %d' % (len(got), len(sent)))
        if len(shown) != len(sent):
            (lost if not shown else doubled).append(
                'Sent at the client: %d' % len(shown))
        return lost, doubled, detail


class Forgotten(Submission):
    """The server does not know its ClientIds: exactly once is our work."""
    name = 'submit-alone'

    def act(self, lab):
        lab.server.mischief('forget-client-ids', 'SendMail', times=1000)
        super().act(lab)


class Draft(Scenario):
    """A draft is saved, and saved again; the first one is expunged. It stays
    here, under the data key: nothing of it may lie on the disk in clear."""
    name = 'draft'
    count = 2
    secrets = [b'the secret of the first draft', b'the secret of the second']
    first, second = '<draft1@crash.test>', '<draft2@crash.test>'

    def raw(self, ident, secret):
        return ('From: alice@example.test\r\nTo: bob@example.test\r\n'
                'Subject: Draft\r\nMessage-ID: %s\r\n\r\n%s\r\n'
                % (ident, secret.decode())).encode()

    def begin(self):
        super().begin()
        self.kept = set()
        self.gone = self.returned = False

    def save(self, lab, ident, secret):
        """The UID; what was answered with OK is promised."""
        c = lab.imap('alice', 'Drafts')
        text, _ = c.append('Drafts', self.raw(ident, secret), ['\\Draft'])
        self.kept.add(ident)
        c.logout()
        return int(text.split('APPENDUID')[1].split()[1].rstrip(']'))

    def act(self, lab):
        self.settle(lab)
        self.note(lab, 'alice', 'Drafts')
        uid = self.save(lab, self.first, self.secrets[0])
        self.save(lab, self.second, self.secrets[1])
        self.remove(lab, uid)
        self.settle(lab)

    def remove(self, lab, uid):
        c = lab.imap('alice', 'Drafts')
        c.store(uid, '+', ['\\Deleted'])
        self.kept.discard(self.first)  # from here on either is right
        c.command('UID EXPUNGE %d' % uid)
        c.logout()
        self.gone = True

    def finish(self, lab):
        self.settle(lab)
        there = self.look(lab, 'alice', 'Drafts')
        self.returned = self.gone and self.first in there.values()
        if self.second not in there.values():
            self.save(lab, self.second, self.secrets[1])
        for uid, ident in there.items():
            if ident == self.first:
                self.remove(lab, uid)
        self.settle(lab)

    def judge(self, lab):
        lost, doubled, detail = [], [], self.differences(lab)
        got = list(self.look(lab, 'alice', 'Drafts').values())
        for ident in self.kept:
            if ident not in got:
                lost.append('the draft %s' % ident)
        for ident in (self.first, self.second):
            if got.count(ident) > 1:
                doubled.append('the draft %s' % ident)
        if self.first in got or self.returned:
            doubled.append('the draft that was expunged')
        for folder in ('Drafts', 'Trash'):
            if lab.server.items('alice', folder):
                doubled.append('at the server, in ' + folder)
        return lost, doubled, detail


class Push(Scenario):
    """Mail that arrives while a client idles."""
    name = 'push'
    never = ['unlink']
    new = ('p00', 'p01')

    def raw(self, ident):
        return mails.head(ident, WHEN + datetime.timedelta(hours=1),
                          'Pushed').encode() \
            + b'\r\n' + b'Text of %s.\r\n' % ident.encode() * 20

    def arrive(self, lab):
        """What the server does not have yet."""
        for ident in self.new:
            if not self.counted(lab, 'bob', ident):
                lab.server.inject('bob', self.raw(ident))

    def act(self, lab):
        self.settle(lab)
        before = len(self.note(lab)) - 1
        imap = lab.session('bob')
        imap.idle()
        self.arrive(lab)
        want = before + len(self.new)
        if not imap.idle_wait(lambda r: r.word == 'EXISTS'
                              and r.number >= want, 20):
            raise AssertionError('the new mail was not announced')
        imap.done()
        self.note(lab)

    def finish(self, lab):
        self.arrive(lab)
        lab.wait_for(lambda: len(self.look(lab)) - 1 >= self.count
                     + len(self.new), 20, 'arrival of the new mail', 0.02)
        self.settle(lab)

    def judge(self, lab):
        return self.all_once(lab, {
            ident: 'INBOX' for ident in
            [m.ident for m in self.mails()] + list(self.new)})


class Folders(Scenario):
    """CREATE, RENAME with mail in it, DELETE."""
    name = 'folders'
    never = ['write', 'rename', 'unlink']
    folders = FOLDERS + ('Kept', 'Made')
    count = 3
    inside = ('w00', 'w01', 'w02')

    def prepare(self, lab):
        self.users(lab)
        lab.server.put('bob', self.mails())
        lab.server.put('bob', [
            mails.Mail(i, 'plain', mails.head(i, WHEN, i).encode()
                       + b'\r\nInside.\r\n', WHEN) for i in self.inside],
            'Work')
        lab.server.put('bob', [], 'Gone')
        lab.server.start()
        for user in USERS:
            lab.add_account(user)
        self.synced(lab)

    def begin(self):
        super().begin()
        self.answered = set()

    def change(self, lab):
        """What was not answered yet and is not yet so."""
        imap = lab.session('bob')
        for command, wanted in (
                ('CREATE Made', lambda got: 'Made' not in got),
                ('RENAME Work Kept', lambda got: 'Work' in got),
                ('DELETE Gone', lambda got: 'Gone' in got)):
            if command not in self.answered:
                if wanted(imap.folders()):
                    imap.command(command)
                self.answered.add(command)

    def act(self, lab):
        self.settle(lab)
        self.note(lab)
        self.note(lab, folder='Work')
        self.change(lab)
        self.note(lab, folder='Made')
        self.promised = True

    def finish(self, lab):
        try:
            self.change(lab)
        except ImapError:
            # The server had done it and we do not know yet: once more when
            # its folder list is here.
            self.settle(lab)
            self.change(lab)
        self.settle(lab)

    def judge(self, lab):
        # the renamed one is the same: its validity, its numbers
        if ('bob', 'Work') in self.told:
            self.told[('bob', 'Kept')] = self.told.pop(('bob', 'Work'))
        want = set(self.folders)
        lost, doubled, detail = [], [], []
        for got, who in ((lab.server.folders('bob'), 'server'),
                         (set(lab.session('bob').folders()), 'client')):
            lost += ['folder %s (%s)' % (f, who) for f in want - got]
            doubled += ['folder %s (%s)' % (f, who) for f in got - want]
        if not lost:
            more = self.all_once(lab, {m.ident: 'INBOX' for m in self.mails()}
                                 | {i: 'Kept' for i in self.inside})
            lost, doubled, detail = lost + more[0], doubled + more[1], more[2]
        return lost, doubled, detail


SCENARIOS = {c.name: c for c in (FirstSync, Push, FlagChange, Move,
                                 Submission, Forgotten, Draft, Folders)}
