"""One IMAP client of the soak: it does random things and believes nothing.

What it was told is kept in two models: its own list of the selected folder
(EXISTS, EXPUNGE), and, shared by all clients of the account and kept over
kills of the daemon, the bytes of every (UIDVALIDITY, UID).
"""
import hashlib
import random
import re
import smtplib
import threading
import time

from imapwire import ImapError, numbers, quote
from servers import address, header

# A server in trouble may be told so; anything else is a failure.
MAY_FAIL = {'UNAVAILABLE', 'INUSE', 'CANNOT', 'NONEXISTENT', 'ALREADYEXISTS',
            'TRYCREATE', 'LIMIT', 'EXPUNGEISSUED', 'NOPERM', 'HASCHILDREN',
            'OVERQUOTA'}


class Broken(Exception):
    """A promise was broken."""


class Told:
    """What an account's clients know, whatever became of the daemon."""

    def __init__(self, user):
        self.user = user
        self.lock = threading.Lock()
        self.digest = {}     # (validity, uid) -> digest
        self.ident = {}      # (validity, uid) -> ident
        self.gone = {}       # (validity, uid) -> when that was known
        self.next = {}       # validity -> UIDNEXT
        self.removed = set()  # idents that somebody meant to delete
        self.sent = {}       # ident -> 'yes', 'no', 'perhaps'
        self.broken = []
        self.ops = {}

    def saw(self, validity, uid, raw):
        key, digest = (validity, uid), hashlib.sha256(raw).hexdigest()
        ident = header(raw, 'X-Test-Id') or header(raw, 'Message-ID')
        with self.lock:
            old = self.digest.setdefault(key, digest)
            self.ident[key] = ident
        if old != digest:
            raise Broken('UID %d of %d has other bytes (%s)'
                         % (uid, validity, ident))

    def count(self, op, how):
        with self.lock:
            at = self.ops.setdefault(op, {})
            at[how] = at.get(how, 0) + 1


class Client(threading.Thread):
    def __init__(self, soak, user, number, told):
        super().__init__(daemon=True)
        self.soak, self.user, self.number, self.told = soak, user, number, told
        self.r = random.Random('%s %s %d' % (soak.seed, user, number))
        self.imap = None
        self.folder, self.validity, self.uids = None, 0, []

    # ---- its own model of the selected folder ----

    def hear(self, responses):
        for r in responses:
            if r.word == 'EXPUNGE':
                if not 1 <= r.number <= len(self.uids):
                    raise Broken('EXPUNGE %d of %d' % (r.number,
                                                       len(self.uids)))
                uid = self.uids.pop(r.number - 1)
                if uid:
                    with self.told.lock:
                        self.told.gone.setdefault((self.validity, uid),
                                                  time.monotonic())
            elif r.word == 'EXISTS':
                if r.number < len(self.uids):
                    raise Broken('EXISTS %d after %d' % (r.number,
                                                         len(self.uids)))
                self.uids += [0] * (r.number - len(self.uids))
            elif r.word == 'FETCH':
                if not 1 <= r.number <= len(self.uids):
                    raise Broken('FETCH %d of %d' % (r.number,
                                                     len(self.uids)))

    def command(self, text):
        at = len(self.imap.untagged)
        try:
            return self.imap.command(text)
        finally:
            self.hear(self.imap.untagged[at:])
            del self.imap.untagged[:]

    def select(self):
        self.folder, self.uids = None, []
        names = sorted(n for n in self.imap.folders())
        folder = self.r.choice(names + ['INBOX'] * 3)
        asked = time.monotonic()
        got = self.imap.select(folder)
        del self.imap.untagged[:]
        self.folder, self.validity = folder, got['UIDVALIDITY']
        self.uids = [0] * got['EXISTS']
        with self.told.lock:
            last = self.told.next.get(self.validity, 0)
            if got['UIDNEXT'] < last:
                raise Broken('UIDNEXT %d after %d' % (got['UIDNEXT'], last))
            self.told.next[self.validity] = got['UIDNEXT']
        self.listed()
        for uid in self.uids:
            when = self.told.gone.get((self.validity, uid))
            if when and when < asked:
                raise Broken('%s: UID %d was gone and is back'
                             % (folder, uid))

    def listed(self):
        """The whole list; no EXPUNGE may come before its answer, so it must
        be what was told."""
        _, got = self.command('UID SEARCH ALL')
        found = sorted(int(x) for r in got if r.word == 'SEARCH'
                       for x in r.data)
        if any(r.word == 'EXPUNGE' for r in got):
            return  # told behind the answer, which still has it
        if len(found) > len(self.uids):
            raise Broken('%d found, %d told' % (len(found), len(self.uids)))
        # what came with this very answer may be missing in it
        for i, uid in enumerate(found):
            if self.uids[i] and self.uids[i] != uid:
                raise Broken('%d. is UID %d, was %d' % (i + 1, uid,
                                                         self.uids[i]))
            self.uids[i] = uid

    def pick(self):
        self.command('NOOP')
        self.listed()
        known = [u for u in self.uids if u]
        return self.r.choice(known) if known else None

    # ---- what it does ----

    def ident_of(self, uid):
        ident = self.told.ident.get((self.validity, uid))
        if ident:
            return ident
        self.op_fetch(uid)
        return self.told.ident.get((self.validity, uid))

    def op_fetch(self, uid=None):
        uid = uid or self.pick()
        if not uid:
            return
        _, got = self.command('UID FETCH %d (UID BODY.PEEK[])' % uid)
        for d in self.imap.fetched(got):
            if d.get('UID') == uid and 'BODY[]' in d:
                self.told.saw(self.validity, uid, d['BODY[]'])

    def op_store(self):
        uid = self.pick()
        if uid:
            self.command('UID STORE %d %sFLAGS (%s)' % (
                uid, self.r.choice('+-'), self.r.choice(
                    ('\\Seen', '\\Flagged', '\\Answered', 'Later'))))

    def op_move(self):
        uid = self.pick()
        if not uid:
            return
        ident = self.ident_of(uid)
        digest = self.told.digest.get((self.validity, uid))
        names = [n for n in ('INBOX', 'Trash', 'Keep', 'Sent')
                 if n != self.folder]
        text, got = self.command('UID MOVE %d %s' % (
            uid, quote(self.r.choice(names))))
        for t in [text] + [r.tokens[1] for r in got if r.word == 'OK']:
            m = re.search(r'\[COPYUID (\d+) (\S+) ([^\]\s]+)\]', t)
            if m and digest:
                new = (int(m.group(1)), numbers(m.group(3))[0])
                with self.told.lock:
                    if self.told.digest.setdefault(new, digest) != digest:
                        raise Broken('COPYUID %s names another' % (new,))
                    self.told.ident[new] = ident

    def op_copy(self):
        uid = self.pick()
        if uid and self.folder != 'Keep':
            ident = self.ident_of(uid)
            with self.told.lock:
                self.soak.copied.add(ident)
            self.command('UID COPY %d "Keep"' % uid)

    def op_expunge(self):
        uid = self.pick()
        if not uid:
            return
        ident = self.ident_of(uid)
        if not ident:
            return
        with self.told.lock:
            self.told.removed.add(ident)
        self.command('UID STORE %d +FLAGS.SILENT (\\Deleted)' % uid)
        self.command('UID EXPUNGE %d' % uid)

    def op_append(self):
        ident = self.soak.ident('d')
        self.imap.append('Drafts', self.soak.mail(ident, self.user, 'draft'),
                         ['\\Seen'])
        new, self.imap.untagged = self.imap.untagged, []
        self.hear(new)

    def op_idle(self):
        self.imap.idle()
        self.imap.idle_wait(lambda r: False, self.r.uniform(0.2, 2))
        self.imap.done()
        new, self.imap.untagged = self.imap.untagged, []
        self.hear(new)

    def op_search(self):
        self.command('UID SEARCH ' + self.r.choice((
            'UNSEEN', 'FLAGGED', 'SUBJECT Soak', 'TEXT soak', 'LARGER 500',
            'SINCE 1-Jan-2024', 'NOT KEYWORD Later')))

    def op_folders(self):
        """Only the first client of an account, in folders of its own."""
        if self.number:
            return self.op_search()
        name = 'W%d' % self.r.randrange(3)
        what = self.r.choice(('CREATE "%s"', 'CREATE "%s"', 'RENAME "%s" "%s"',
                              'DELETE "%s"'))
        self.command(what % ((name,) if what.count('%') == 1
                             else (name, 'W%d' % self.r.randrange(3, 6))))

    def op_submit(self):
        other = 'bob' if self.user == 'alice' else 'alice'
        ident = self.soak.ident('s')
        wish = self.r.choice(('sign=no; encrypt=no', 'sign=yes; encrypt=no',
                              'sign=yes; encrypt=yes'))
        raw = self.soak.mail(ident, self.user, 'submission',
                             'X-Sealpost: %s\r\n' % wish, other)
        self.told.sent[ident] = 'perhaps'
        try:
            self.soak.lab.submit(self.user, raw, [address(other)])
            self.told.sent[ident] = 'yes'
        except smtplib.SMTPResponseException as e:
            self.told.sent[ident] = 'no'
            if e.smtp_code >= 500 and not (
                    b'5.7.5' in e.smtp_error     # no certificate just now
                    or b'HTTP 403' in e.smtp_error
                    or b'HTTP 401' in e.smtp_error):
                raise Broken('%s: %d %r' % (ident, e.smtp_code, e.smtp_error))
        except smtplib.SMTPRecipientsRefused:
            self.told.sent[ident] = 'no'

    OPS = ('fetch', 'fetch', 'fetch', 'store', 'store', 'move', 'move',
           'copy', 'expunge', 'append', 'idle', 'search', 'folders',
           'submit', 'submit')

    def once(self):
        if not self.imap:
            self.imap = self.soak.lab.imap(self.user, timeout=60)
            self.folder = None
        if not self.folder or self.r.random() < 0.08:
            self.select()
        op = self.r.choice(self.OPS)
        try:
            getattr(self, 'op_' + op)()
            self.told.count(op, 'ok')
        except ImapError as e:
            if e.status == 'BYE':
                raise ConnectionResetError(e.text)
            if e.status == 'BAD' and 'not allowed here' in e.text \
                    and self.folder[0] == 'W':
                self.folder = None  # renamed or deleted by the first client
            elif e.code not in MAY_FAIL and 'HTTP 401' not in e.text:
                raise Broken('%s: %s' % (op, e))
            self.told.count(op, e.code)

    def run(self):
        while not self.soak.over.is_set():
            try:
                self.once()
            except Broken as e:
                self.soak.say_broken('%s %d, %s: %s' % (
                    self.user, self.number, self.folder, e))
                self.drop()
            except ImapError as e:
                # SELECT of a folder that is just gone or relisted
                if e.status != 'BYE' and e.code not in MAY_FAIL:
                    self.soak.say_broken('%s %d: %s' % (self.user,
                                                        self.number, e))
                self.drop()
            except (OSError, EOFError, smtplib.SMTPException,
                    KeyError, RuntimeError):
                if not self.soak.down.is_set() and not self.soak.killed():
                    self.soak.strange += 1
                self.drop()
                time.sleep(0.2)
            except ValueError as e:
                self.soak.say_broken('%s %d: %s' % (self.user, self.number,
                                                    e))
                self.drop()
            time.sleep(self.r.uniform(0, self.soak.pause))

    def drop(self):
        if self.imap:
            self.imap.close()
        self.imap = self.folder = None
