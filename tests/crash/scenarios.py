"""What is going on when sealpostd stops, and what must be so afterwards.

prepare(lab): once, before the first case; ends with everything stopped.
act(lab):     what a client does; a stop may come at any moment. What the
              client was told is noted in `told`.
settle(lab):  until the daemon has nothing left to do.
finish(lab):  after the restart: what a client would do again.
judge(lab):   lost, doubled, and other differences, as lists of words.
"""
import datetime
import email.utils
import smtplib

import mails
from servers import address, header

WHEN = datetime.datetime(2024, 5, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
USERS = ('alice', 'bob')
FOLDERS = ('INBOX', 'Drafts', 'Sent', 'Trash')


class Scenario:
    name = ''
    secrets = []
    short_kinds = ['commit-before', 'commit-after', 'http-done']
    never = []  # kinds that have nothing to stop at here
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
                         'rest of ' + user, 0.05)

    # ---- what a client sees ----

    def look(self, lab, user='bob', folder='INBOX'):
        """{'validity': n, uid: ident, ...}; must not differ from what was
        told before."""
        imap = lab.imap(user, timeout=20)
        try:
            seen = {'validity': imap.select(folder)['UIDVALIDITY']}
            got = imap.all('(UID BODY.PEEK[HEADER.FIELDS (X-Test-Id '
                           'Message-ID)])')
            for uid, d in got.items():
                top = next(v for k, v in d.items() if k.startswith('BODY['))
                seen[uid] = header(top, 'X-Test-Id') \
                    or header(top, 'Message-ID')
        finally:
            imap.close()
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
        for folder in FOLDERS:
            out += [folder for i in lab.server.items(user, folder)
                    if i.header(name) == ident]
        return out

    def all_once(self, lab, where):
        """ident -> folder for the mails of the server and of the client."""
        lost, doubled, detail = [], [], self.differences(lab)
        shown = {}
        for folder in FOLDERS:
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
    short_kinds = ['commit-before', 'commit-after', 'write', 'http-done']

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
    never = ['write', 'rename']

    def act(self, lab):
        seen = self.note(lab)
        self.uid = {v: k for k, v in seen.items()}
        imap = lab.imap('bob', 'INBOX')
        try:
            imap.store(self.uid['c03'], '+', ['\\Seen', '\\Flagged'])
            imap.store(self.uid['c04'], '+', ['\\Seen'])
            self.promised = True
        finally:
            imap.close()

    def finish(self, lab):
        if not self.promised:
            uid = {v: k for k, v in self.look(lab).items()}
            imap = lab.imap('bob', 'INBOX')
            imap.store(uid['c03'], '+', ['\\Seen', '\\Flagged'])
            imap.store(uid['c04'], '+', ['\\Seen'])
            imap.logout()
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
        imap = lab.imap('bob', 'INBOX')
        seen = self.look(lab)
        for uid, d in imap.all('(UID FLAGS)').items():
            flags = d['FLAGS'] - {'\\Recent'}
            if flags != want.get(seen[uid], set()):
                lost.append('flags of %s: %s at the client'
                            % (seen[uid], sorted(flags)))
        imap.logout()
        return lost, doubled, detail


class Move(Scenario):
    name = 'move'
    never = ['write', 'rename']
    moved = ('c05', 'c06')

    def move(self, lab):
        seen = self.look(lab)
        which = [str(u) for u, ident in seen.items() if ident in self.moved]
        if not which:
            return
        imap = lab.imap('bob', 'INBOX')
        try:
            pairs = imap.move(','.join(which), 'Trash')
            for old, new in pairs.items():
                self.told.setdefault(('bob', 'Trash'), {})[new] = seen[old]
        finally:
            imap.close()

    def act(self, lab):
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
    short_kinds = ['commit-before', 'commit-after', 'write', 'http-done']
    count = 3
    ident = '<crash@client.example.test>'
    secrets = [b'the secret of the submission']

    def act(self, lab):
        raw = ('From: alice@example.test\r\nTo: bob@example.test\r\n'
               'Subject: Crash\r\nDate: %s\r\nMessage-ID: %s\r\n'
               'X-Sealpost: sign=yes; encrypt=yes\r\n\r\n%s\r\n' % (
                   email.utils.format_datetime(WHEN), self.ident,
                   self.secrets[0].decode())).encode()
        self.note(lab)
        lab.submit('alice', raw, ['bob@example.test'])
        self.promised = True

    def finish(self, lab):
        self.settle(lab)
        lab.wait_for(lambda: not lab.queue('alice'), 100, 'an empty queue',
                     0.2)
        if self.promised:
            lab.wait_for(lambda: self.counted(lab, 'bob', self.ident), 5,
                         'the delivery')
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


SCENARIOS = {c.name: c for c in (FirstSync, FlagChange, Move, Submission)}
