"""What a fault meets: one scenario for each command of the gateway.

begin(cell): at the server, before the account is looked at for the first
time. act(cell): what the person or the world does; a fault is waiting for the
command. A client repeats what was answered with "try again", as mail programs
do, and nothing else.
"""
import datetime
import os
import smtplib
import time

import mails
from imapwire import ImapError
from servers import address

WHEN = datetime.datetime(2024, 5, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
PATIENCE = 25
FOLDERS = ('INBOX', 'Drafts', 'Sent', 'Trash', 'Old')
SINK = 'bob'


def mail(ident, flags=()):
    n = int(ident[1:]) + 100 * 'mto'.index(ident[0])
    raw = mails.head(ident, WHEN + datetime.timedelta(minutes=n),
                     'Fault ' + ident, to='somebody@example.test').encode() \
        + b'\r\n' + b'Text of %s.\r\n' % ident.encode() * 30
    return mails.Mail(ident, 'plain', raw,
                      WHEN + datetime.timedelta(minutes=n), flags)


class Scenario:
    name = ''
    command = ''     # as the server's log has it
    first = False    # the fault waits before the daemon starts
    skip = 0         # requests of this command that go well before
    policy = False   # the account has a policy from the beginning
    settings = ''

    def begin(self, cell):
        server, user = cell.lab.server, cell.user
        server.put(user, [mail('m0'), mail('m1', ['\\Seen']),
                          mail('m2', ['\\Flagged']), mail('m3')])
        server.put(user, [mail('t0'), mail('t1')], 'Trash')
        server.put(user, [mail('o0')], 'Old')

    def act(self, cell):
        pass

    def note(self, cell):
        """Whatever else has to be equal, as plain data."""
        return None


def patient(cell, what):
    """As long as the answer is "try again"."""
    end = time.monotonic() + cell.patience
    while True:
        try:
            return what()
        except ImapError as e:
            if e.code not in ('UNAVAILABLE', 'INUSE') \
                    or time.monotonic() > end:
                raise
        time.sleep(0.2)


class Options(Scenario):
    name, command, first = 'options', 'OPTIONS', True


class ProvisionAsk(Scenario):
    name, command, first, policy = 'provision-ask', 'Provision', True, True


class ProvisionAck(ProvisionAsk):
    name, skip = 'provision-ack', 1


class Settings(Scenario):
    name, command, first = 'settings', 'Settings', True


class FolderSync(Scenario):
    name, command, first = 'foldersync', 'FolderSync', True


class FolderSyncLater(Scenario):
    """A folder is made elsewhere."""
    name, command = 'foldersync-later', 'FolderSync'

    def act(self, cell):
        path = os.path.join(cell.lab.server.root, address(cell.user), 'Made')
        for sub in ('tmp', 'new', 'cur'):
            os.makedirs(os.path.join(path, sub), exist_ok=True)
        cell.lab.ask('reload')


class SyncPrime(Scenario):
    name, command, first = 'sync-prime', 'Sync', True


class SyncList(SyncPrime):
    name, skip = 'sync-list', 1


class SyncListLater(SyncPrime):
    name, skip = 'sync-list-third', 4


class SyncDown(Scenario):
    """New mail and flags from elsewhere."""
    name, command = 'sync-down', 'Sync'

    def act(self, cell):
        server = cell.lab.server
        item = cell.item('m3')
        server.set_flags(cell.user, item, ['\\Seen'])
        server.inject(cell.user, mail('m5').raw)


class SyncUp(Scenario):
    name, command = 'sync-up', 'Sync'

    def act(self, cell):
        imap = cell.imap('INBOX')
        imap.store(cell.uid('INBOX', 'm0'), '+', ['\\Seen', '\\Flagged'])
        imap.store(cell.uid('INBOX', 'm2'), '-', ['\\Flagged'])
        imap.close()


class SyncDelete(Scenario):
    name, command = 'sync-delete', 'Sync'

    def act(self, cell):
        imap = cell.imap('Trash')
        uid = cell.uid('Trash', 't0')
        imap.store(uid, '+', ['\\Deleted'])
        imap.command('UID EXPUNGE %d' % uid)
        cell.gone('Trash', uid)
        imap.close()


class ItemsBackfill(Scenario):
    name, command, first = 'items-backfill', 'ItemOperations', True


class ItemsRead(Scenario):
    """A reader opens new mail at once."""
    name, command = 'items-read', 'ItemOperations'

    def act(self, cell):
        imap = cell.imap('INBOX')
        cell.lab.server.inject(cell.user, mail('m5').raw)
        end = time.monotonic() + cell.patience
        while time.monotonic() < end:
            imap.command('NOOP')
            uids = [u for u in imap.search('ALL')
                    if u not in cell.before['INBOX']]
            if uids:
                break
            time.sleep(0.1)
        assert uids, 'the new mail did not come'
        body = patient(cell, lambda: imap.body(uids[0]))
        assert b'Text of m5' in body, 'the body is %r' % body[-200:]
        imap.close()


class Ping(Scenario):
    """One Ping ends well, the next meets the fault; then there is mail."""
    name, command = 'ping', 'Ping'

    def act(self, cell):
        cell.lab.server.inject(cell.user, mail('m5').raw)
        cell.until(lambda: 'm5' in cell.shown('INBOX'), 'the first mail')
        time.sleep(1)   # the server tells of a Ping when it has ended
        cell.lab.server.inject(cell.user, mail('m6').raw)


class MoveItems(Scenario):
    name, command = 'moveitems', 'MoveItems'

    def act(self, cell):
        imap = cell.imap('INBOX')
        a, b = cell.uid('INBOX', 'm0'), cell.uid('INBOX', 'm2')
        pairs = imap.move('%d,%d' % (a, b), 'Old')
        cell.told('Old', pairs[a], 'm0')
        cell.told('Old', pairs[b], 'm2')
        cell.gone('INBOX', a, b)
        imap.close()


def asked_twice(cell, imap, command, done):
    """A client that was told "try again" and then that it is done."""
    tries = [0]

    def once():
        tries[0] += 1
        try:
            imap.command(command)
        except ImapError as e:
            if tries[0] > 1 and e.code == done:
                return
            raise
    patient(cell, once)


class FolderCreate(Scenario):
    name, command = 'foldercreate', 'FolderCreate'

    def act(self, cell):
        imap = cell.imap()
        asked_twice(cell, imap, 'CREATE "Made"', 'ALREADYEXISTS')
        imap.close()


class FolderUpdate(Scenario):
    name, command = 'folderupdate', 'FolderUpdate'

    def act(self, cell):
        imap = cell.imap()
        asked_twice(cell, imap, 'RENAME "Old" "Older"', 'NONEXISTENT')
        cell.renamed('Old', 'Older')
        imap.close()


class FolderDelete(Scenario):
    name, command = 'folderdelete', 'FolderDelete'

    def begin(self, cell):
        super().begin(cell)
        cell.lab.server.put(cell.user, [], 'Empty')

    def act(self, cell):
        imap = cell.imap()
        asked_twice(cell, imap, 'DELETE "Empty"', 'NONEXISTENT')
        imap.close()


class SendMail(Scenario):
    name, command, wish = 'sendmail', 'SendMail', ''

    def ident(self, cell):
        return '<%s@client.example.test>' % cell.user

    def act(self, cell):
        raw = ('From: %s\r\nTo: %s\r\nSubject: Fault\r\n'
               'Date: Wed, 01 May 2024 12:00:00 +0000\r\nMessage-ID: %s\r\n'
               '%s\r\nThe text.\r\n' % (
                   address(cell.user), address(SINK), self.ident(cell),
                   self.wish)).encode()
        end = time.monotonic() + cell.patience
        while True:
            try:
                cell.lab.submit(cell.user, raw, [address(SINK)])
                return
            except smtplib.SMTPResponseException as e:
                if e.smtp_code >= 500 or time.monotonic() > end:
                    raise
            except smtplib.SMTPRecipientsRefused as e:
                code, text = list(e.recipients.values())[0]
                if code >= 500 or time.monotonic() > end:
                    raise AssertionError('RCPT: %d %s' % (code, text))
            time.sleep(0.3)

    def note(self, cell):
        got = [i for i in cell.sunk() if self.ident(cell) == i]
        return 'arrived %d times' % len(got)


class Resolve(SendMail):
    name, command = 'resolve', 'ResolveRecipients'
    wish = 'X-Sealpost: encrypt=yes; sign=no\r\n'
    settings = '    encrypt_to_self = no\n'


class SmartReply(SendMail):
    """To a mail that the server has."""
    name, command = 'smartreply', 'SmartReply'
    wish = ('X-Sealpost: encrypt=no; sign=no\r\n'
            'In-Reply-To: <m1@shapes.example.test>\r\n')


class SmartForward(SendMail):
    name, command = 'smartforward', 'SmartForward'
    wish = ('X-Sealpost: encrypt=no; sign=no\r\n'
            'X-Forwarded-Message-Id: <m1@shapes.example.test>\r\n')


class Oof(Scenario):
    name, command = 'oof', 'Settings'

    def act(self, cell):
        end = time.monotonic() + cell.patience
        while True:
            try:
                cell.lab.ask('oof set', account=cell.user, state='on',
                             internal='Away until May.')
                return
            except RuntimeError:     # a person tries again
                if time.monotonic() > end:
                    raise
            time.sleep(0.3)

    def note(self, cell):
        path = os.path.join(cell.lab.server.root, 'state',
                            address(cell.user), 'oof')
        if not os.path.exists(path):
            return None
        with open(path) as f:
            return f.read()


SCENARIOS = {c.name: c for c in (
    Options, ProvisionAsk, ProvisionAck, Settings, FolderSync,
    FolderSyncLater, FolderCreate, FolderUpdate, FolderDelete, SyncPrime,
    SyncList, SyncListLater, SyncDown, SyncUp, SyncDelete, ItemsBackfill,
    ItemsRead, Ping, MoveItems, SendMail, SmartReply,
    SmartForward, Resolve, Oof)}
