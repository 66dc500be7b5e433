#!/usr/bin/python3
"""The IMAP door, asked as clients ask: the real daemon in front of the
sandbox, several clients at once, and bytes that no client should send."""
import base64
import imaplib
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'e2e'))
from imapwire import Imap, ImapError, numbers, quote  # noqa: E402
import proc  # noqa: E402
from lab import Lab  # noqa: E402
from servers import until  # noqa: E402
from tap import Tap, check, same  # noqa: E402

MULTI = (b'From: Bob <bob@example.test>\r\nTo: alice@example.test\r\n'
         b'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= in parts\r\n'
         b'Message-ID: <multi@example.test>\r\n'
         b'Date: Tue, 3 Jan 2006 23:30:00 -0500\r\nMIME-Version: 1.0\r\n'
         b'Content-Type: multipart/mixed; boundary=b\r\n\r\n'
         b'--b\r\nContent-Type: text/plain; charset=utf-8\r\n'
         b'Content-Transfer-Encoding: base64\r\n\r\n'
         + base64.b64encode('Käsekuchen am Montag'.encode()) + b'\r\n'
         b'--b\r\nContent-Type: message/rfc822\r\n\r\n'
         b'From: inner@example.test\r\nSubject: inside\r\n\r\ninner text\r\n'
         b'--b--\r\n')


def plain(n, size=0):
    return (b'From: Bob <bob@example.test>\r\nTo: alice@example.test\r\n'
            b'Subject: Number %d\r\nMessage-ID: <m%d@example.test>\r\n'
            b'Date: Mon, 2 Jan 2006 15:04:05 +0100\r\n\r\n'
            b'text of message %d\r\n' % (n, n, n)
            + b'0123456789abcdef' * 4 * (size // 64)
            + (b'\r\n' if size else b''))


class Raw:
    """Bytes as they are."""

    def __init__(self, lab, timeout=10):
        self.sock = socket.create_connection(lab.address('imap'), timeout)
        self.file = self.sock.makefile('rb')
        self.greeting = self.line()

    def line(self):
        return self.file.readline().decode()

    def send(self, data):
        self.sock.sendall(data)

    def ask(self, data, tag):
        """To the line that begins with the tag; all lines."""
        self.send(data)
        return self.until(tag)

    def until(self, tag):
        lines = []
        while True:
            text = self.line()
            if not text:
                raise ConnectionResetError('closed after %r' % lines)
            lines.append(text.rstrip('\r\n'))
            if text.startswith(tag + ' '):
                return lines

    def closed(self):
        return self.line() == ''

    def close(self):
        self.file.close()
        self.sock.close()


def refused(call, code=None, status='NO'):
    try:
        call()
    except ImapError as e:
        same(e.status, status, 'status of %s' % e)
        if code is not None:
            same(e.code, code, 'code of %s' % e)
        return e
    raise AssertionError('it was not refused')


def subject_uids(lab, subject):
    c = lab.imap('alice', 'INBOX')
    got = c.search('SUBJECT ' + quote(subject))
    c.logout()
    return got


# ---- coming in ----

def step_greeting_and_capabilities(lab):
    r = Raw(lab)
    check(r.greeting.startswith('* OK [CAPABILITY IMAP4rev1 '), r.greeting)
    for word in ('LITERAL+', 'SASL-IR', 'AUTH=PLAIN', 'AUTH=LOGIN',
                 'STARTTLS', 'ID'):
        check(' %s' % word in r.greeting, '%s is missing', word)
    check('LOGINDISABLED' not in r.greeting, 'LOGINDISABLED on the loopback')
    same(r.ask(b'a SELECT INBOX\r\n', 'a')[-1][:6], 'a BAD ', 'SELECT early')
    same(r.ask(b'a LOGOUT\r\n', 'a')[0][:6], '* BYE ', 'LOGOUT')
    check(r.closed(), 'it stays open after LOGOUT')
    c = lab.imap('alice')
    words = c.capability()
    for word in ('IDLE', 'NAMESPACE', 'CHILDREN', 'UNSELECT', 'UIDPLUS',
                 'MOVE', 'SPECIAL-USE', 'ENABLE'):
        check(word in words, '%s is missing', word)
    check('STARTTLS' in words or 'AUTH=PLAIN' not in words, 'AUTH after login')
    c.logout()
    return ' '.join(words)


def step_ways_to_log_in(lab):
    pw = lab.passwords['alice']
    message = base64.b64encode(b'\0alice\0' + pw.encode())
    for text in (b'a AUTHENTICATE PLAIN ' + message + b'\r\n',
                 b'a LOGIN alice@example.test {%d+}\r\n%s\r\n'
                 % (len(pw), pw.encode())):
        r = Raw(lab)
        check(r.ask(text, 'a')[-1].startswith('a OK [CAPABILITY '), 'login')
        r.close()
    r = Raw(lab)
    r.send(b'a AUTHENTICATE LOGIN\r\n')
    same(r.line(), '+ VXNlcm5hbWU6\r\n', 'asks for the user')
    r.send(base64.b64encode(b'alice') + b'\r\n')
    same(r.line(), '+ UGFzc3dvcmQ6\r\n', 'asks for the password')
    check(r.ask(base64.b64encode(pw.encode()) + b'\r\n', 'a')[-1]
          .startswith('a OK '), 'AUTH=LOGIN')
    r.close()
    r = Raw(lab)
    r.send(b'a AUTHENTICATE PLAIN\r\n')
    same(r.line(), '+ \r\n', 'asks for the message')
    same(r.ask(b'*\r\n', 'a')[-1][:5], 'a BAD', 'giving up')
    check(r.ask(b'b LOGIN alice wrong\r\n', 'b')[-1]
          .startswith('b NO [AUTHENTICATIONFAILED] '), 'wrong password')
    check(r.ask(b'c LOGIN nobody wrong\r\n', 'c')[-1]
          .startswith('c NO [AUTHENTICATIONFAILED] '), 'wrong user')
    check(r.ask(b'd AUTHENTICATE CRAM-MD5\r\n', 'd')[-1]
          .startswith('d NO [CANNOT] '), 'unknown mechanism')
    r.close()
    return 'LOGIN, PLAIN, LOGIN by SASL; wrong ones told apart by nothing'


def step_tls(lab):
    c = Imap(lab.address('imap'))
    c.starttls(lab.tls_context())
    check('STARTTLS' not in c.capability(), 'STARTTLS inside TLS')
    c.login('alice', lab.passwords['alice'])
    c.select('INBOX')
    c.logout()
    c = lab.imap('alice', 'INBOX', tls=True)
    c.logout()
    # Commands smuggled in behind STARTTLS are dropped.
    r = Raw(lab)
    r.send(b'a STARTTLS\r\nb CAPABILITY\r\n')
    check(r.line().startswith('a OK '), 'STARTTLS')
    r.sock.settimeout(1)
    try:
        got = r.sock.recv(100)
    except socket.timeout:
        got = b''
    same(got, b'', 'what comes in clear after STARTTLS')
    r.close()
    return 'STARTTLS, IMAPS, nothing smuggled'


# ---- grammar ----

def step_strict_and_pipelined(lab):
    r = Raw(lab)
    got = r.ask(b'a1 NOOP\r\na2 CAPABILITY\r\na3 LOGIN alice '
                + lab.passwords['alice'].encode()
                + b'\r\na4 SELECT INBOX\r\na5 FETCH 1 UID\r\na6 NOOP\r\n',
                'a6')
    same([x.split()[:2] for x in got if x[0] == 'a'],
         [['a%d' % i, 'OK'] for i in range(1, 7)], 'answers in order')
    for text in (b'b  NOOP', b'b NOOP ', b'b FETCH 1', b'b FETCH 1 (FLAGS',
                 b'b FETCH 99999 FLAGS', b'b SEARCH TEXT "\xfc"',
                 b'b STORE 1 +FLAGS (\\Recent)', b'b UID NOOP',
                 b'b SELECT {2', b'b SELECT "x', b'b IDLE x'):
        same(r.ask(text + b'\r\n', 'b')[-1][:5], 'b BAD', repr(text))
        same(r.ask(b'c NOOP\r\n', 'c')[-1][:4], 'c OK', 'NOOP after it')
    same(r.ask(b'b NOOP\n', 'b')[-1][:5], 'b BAD', 'a bare line feed')
    r.close()
    r = Raw(lab)
    for i in range(30):
        r.send(b'x FROBNICATE\r\n')
    text = r.file.read().decode()
    check('* BYE ' in text, 'nonsense for ever')
    r.close()
    r = Raw(lab)
    r.send(b'a LOGIN ' + b'x' * 100000)
    check('* BYE ' in r.line(), 'an endless line')
    r.close()
    r = Raw(lab)
    check(r.ask(b'a LOGIN {1000000}\r\n', 'a')[-1].startswith('a NO [LIMIT]'),
          'a large literal before the login')
    check(r.ask(b'b LOGIN {90000+}\r\n' + b'x' * 90000 + b' y\r\n', 'b')[-1]
          .startswith('b NO [LIMIT]'), 'one that comes unasked')
    same(r.ask(b'c NOOP\r\n', 'c')[-1][:4], 'c OK', 'NOOP after it')
    r.close()
    return 'six commands in one packet; 12 malformed ones are BAD'


# ---- mailboxes ----

def step_lists(lab):
    c = lab.imap('alice')
    folders = c.folders()
    uses = {next(iter(a & {'\\Sent', '\\Trash', '\\Drafts'})): n
            for n, a in folders.items()
            if a & {'\\Sent', '\\Trash', '\\Drafts'}}
    same(sorted(uses), ['\\Drafts', '\\Sent', '\\Trash'], 'special uses')
    lab.trash, lab.sent, lab.drafts = (uses['\\Trash'], uses['\\Sent'],
                                       uses['\\Drafts'])
    same(c.folders(pattern='inb%'), {'INBOX': folders['INBOX']}, 'inb%')
    same(c.folders(pattern='nothing*'), {}, 'nothing*')
    _, got = c.command('LIST "" ""')
    same([(r.data[1], r.data[2]) for r in got], [(b'/', b'')], 'separator')
    _, got = c.command('NAMESPACE')
    same(got[0].data, [[[b'', b'/']], None, None], 'NAMESPACE')
    _, got = c.command('LIST (SPECIAL-USE) "" * RETURN (STATUS (MESSAGES '
                       'UIDVALIDITY))')
    same(len([r for r in got if r.word == 'LIST']), 3, 'LIST (SPECIAL-USE)')
    same(len([r for r in got if r.word == 'STATUS']), 3, 'LIST-STATUS')
    c.command('UNSUBSCRIBE ' + quote(lab.drafts))
    _, got = c.command('LSUB "" *')
    check(lab.drafts not in [str(r.data[2]) for r in got], 'LSUB')
    _, got = c.command('LIST (SUBSCRIBED) "" *')
    same(len(got), len(folders) - 1, 'LIST (SUBSCRIBED)')
    c.command('SUBSCRIBE ' + quote(lab.drafts))
    st = c.status('INBOX', '(MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT SIZE '
                           'DELETED)')
    same(st['MESSAGES'], 12, 'STATUS MESSAGES')
    refused(lambda: c.status('nowhere'), 'NONEXISTENT')
    refused(lambda: c.select('nowhere'), 'NONEXISTENT')
    c.logout()
    return ', '.join(sorted(folders))


def step_make_rename_delete(lab):
    c, other = lab.imap('alice'), lab.imap('alice')
    c.command('CREATE Project/&ZeVnLIqe-/Sub')
    names = c.folders()
    for n in ('Project', 'Project/&ZeVnLIqe-', 'Project/&ZeVnLIqe-/Sub'):
        check(n in names, '%s was not made', n)
    check('\\HasChildren' in names['Project'], 'HasChildren')
    refused(lambda: c.command('CREATE Project'), 'ALREADYEXISTS')
    refused(lambda: c.command('CREATE "a%%b"'), 'CANNOT')
    refused(lambda: c.command('CREATE INBOX'), 'ALREADYEXISTS')
    before = c.select('Project/&ZeVnLIqe-/Sub')['UIDVALIDITY']
    c.command('UNSELECT')
    c.command('RENAME Project/&ZeVnLIqe-/Sub Renamed')
    same(c.select('Renamed')['UIDVALIDITY'], before, 'UIDVALIDITY')
    refused(lambda: c.command('DELETE Project'), 'HASCHILDREN')
    refused(lambda: c.command('DELETE INBOX'), 'CANNOT')
    refused(lambda: c.command('RENAME INBOX x'), 'CANNOT')
    other.select('Renamed')
    c.command('DELETE Renamed')  # selected by both
    refused(lambda: other.command('NOOP'), status='BYE')
    refused(lambda: c.select('Renamed'), 'NONEXISTENT')
    c.command('DELETE Project/&ZeVnLIqe-')
    c.command('DELETE Project')
    c.logout()
    server = lab.server.folders('alice')
    check(not any('Project' in f for f in server), 'still there: %s', server)
    return 'made with what is above, renamed under one UIDVALIDITY, deleted'


# ---- reading ----

def step_fetch_items(lab):
    c = lab.imap('alice', 'INBOX')
    uid = c.search('HEADER Message-ID <multi@example.test>')[0]
    got = c.uid_fetch(uid, '(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE '
                           'BODYSTRUCTURE BODY)')[uid]
    same(got['ENVELOPE'][1], b'=?utf-8?q?Gr=C3=BC=C3=9Fe?= in parts',
         'subject')
    same(got['ENVELOPE'][9], b'<multi@example.test>', 'message id')
    same(got['BODYSTRUCTURE'][2], b'MIXED', 'BODYSTRUCTURE')
    check('\\Seen' not in got['FLAGS'], 'seen too early')
    whole = c.body(uid)
    same(len(whole), got['RFC822.SIZE'], 'RFC822.SIZE')
    check(whole.endswith(MULTI[MULTI.index(b'MIME-Version'):]), 'the bytes')
    head = c.body(uid, 'HEADER')
    same(head + c.body(uid, 'TEXT'), whole, 'HEADER and TEXT')
    same(c.body(uid, '1.MIME'),
         b'Content-Type: text/plain; charset=utf-8\r\n'
         b'Content-Transfer-Encoding: base64\r\n\r\n', '1.MIME')
    same(base64.b64decode(c.body(uid, '1')).decode(), 'Käsekuchen am Montag',
         'part 1')
    same(c.body(uid, '2.HEADER'),
         b'From: inner@example.test\r\nSubject: inside\r\n\r\n', '2.HEADER')
    same(c.body(uid, '2.TEXT'), b'inner text', '2.TEXT')
    same(c.body(uid, '7'), None, 'a part that is not there')
    _, r = c.command('UID FETCH %d BODY.PEEK[HEADER.FIELDS (SUBJECT dAte)]'
                     % uid)
    same(c.fetched(r)[0]['BODY[HEADER.FIELDS (SUBJECT DATE)]'],
         b'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= in parts\r\n'
         b'Date: Tue, 3 Jan 2006 23:30:00 -0500\r\n\r\n', 'two fields')
    _, r = c.command('UID FETCH %d (BODY.PEEK[]<10.20> BODY.PEEK[]<999999.5>)'
                     % uid)
    d = c.fetched(r)[0]
    same((d['BODY[]<10>'], d['BODY[]<999999>']), (whole[10:30], b''),
         'partial')
    return 'sections, fields and parts of %d bytes' % len(whole)


def step_seen(lab):
    c = lab.imap('alice', 'INBOX')
    uid = c.search('SUBJECT "Number 1" UNSEEN')[0]
    _, r = c.command('UID FETCH %d BODY[TEXT]' % uid)
    d = [x for x in c.fetched(r) if 'BODY[TEXT]' in x][0]
    check('\\Seen' in d['FLAGS'], 'FLAGS do not come with it: %r', d)
    c.command('CLOSE')
    c.select('INBOX', readonly=True)
    check('[READ-ONLY]' in c.select('INBOX', readonly=True)['text'],
          'READ-ONLY')
    unseen = c.search('UNSEEN')[0]
    c.command('UID FETCH %d RFC822' % unseen)
    check(unseen in c.search('UNSEEN'), 'EXAMINE set a flag')
    refused(lambda: c.store(unseen, '+', ['\\Seen']), 'NOPERM')
    refused(lambda: c.command('EXPUNGE'), 'NOPERM')
    c.logout()
    lab.wait_for(lambda: [i for i in lab.server.items('alice')
                          if b'<m1@' in i.raw and '\\Seen' in i.flags],
                 10, '\\Seen at the server')
    return 'BODY[] sets it, BODY.PEEK[] and EXAMINE do not'


def step_many_and_large(lab):
    """More than the buffers hold, read slowly: the daemon's memory stays
    within its bounds, and all bytes come."""
    big = plain(500, 6 << 20)
    lab.server.inject('alice', big)
    c = lab.imap('alice', 'INBOX')
    lab.wait_for(lambda: c.command('NOOP') and c.search('SUBJECT '
                                                        '"Number 500"'),
                 20, 'the large message')
    uid = c.search('SUBJECT "Number 500"')[0]
    c.body(uid)
    before = memory(lab)
    c.send(b''.join(b'x%d UID FETCH %d (BODY.PEEK[])\r\n' % (i, uid)
                    for i in range(20)))
    time.sleep(1)
    grown = memory(lab) - before
    check(proc.sanitized() or grown < 24 << 10,
          'the daemon grew by %d KiB', grown)
    for i in range(20):
        _, got = c.finish(b'x%d' % i, 'FETCH')
        body = c.fetched(got)[0]['BODY[]']
        check(body.endswith(big[-200:]) and len(body) > len(big),
              'answer %d has %d bytes', i, len(body))
    c.logout()
    return '120 MB, of which %d KiB waited in memory' % grown


def memory(lab):
    with open('/proc/%d/status' % lab.daemon.pid) as f:
        return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))


def step_search(lab):
    c = lab.imap('alice', 'INBOX')
    multi = c.search('HEADER Message-ID <multi@')
    same(len(multi), 1, 'by Message-ID')
    rows = {
        'SUBJECT "in parts"': multi,
        'FROM inner@example.test': [],
        'TEXT inner@example.test': multi,
        'BODY "am montag"': multi,
        'HEADER Subject "in PARTS"': multi,
        'SENTON 3-Jan-2006': multi,
        'SENTSINCE 4-Jan-2006': [],
        'NOT SENTON 2-Jan-2006': multi,
        'KEYWORD nothing': [],
        'NEW': [],
        'UID %d SMALLER 100000' % multi[0]: multi,
        'UID %d LARGER 100000' % multi[0]: [],
        'OR SUBJECT zzz SUBJECT "in parts"': multi,
        '(SUBJECT "in parts") NOT (FROM bob)': [],
    }
    for keys, want in rows.items():
        same(c.search(keys), want, keys)
    for text in ('Grüße', 'käsekuchen'):
        raw = text.encode()
        tag = c.start('UID SEARCH CHARSET UTF-8 TEXT {%d+}' % len(raw))
        c.send(raw + b'\r\n')
        _, got = c.finish(tag, 'SEARCH')
        same([int(x) for r in got for x in r.data], multi, text)
    e = refused(lambda: c.command('SEARCH CHARSET KOI8-R ALL'), 'BADCHARSET')
    check('(US-ASCII UTF-8)' in e.text, e.text)
    n = len(c.search('ALL'))
    _, got = c.command('SEARCH RETURN (MIN MAX COUNT) ALL')
    data = got[0].data
    same([got[0].word] + data[1:], ['ESEARCH', 'MIN', '1', 'MAX', str(n),
                                    'COUNT', str(n)], 'ESEARCH')
    _, got = c.command('UID SEARCH RETURN () SUBJECT "in parts"')
    same(got[0].data[1:], ['UID', 'ALL', str(multi[0])], 'UID ESEARCH')
    c.logout()
    return '%d searches' % (len(rows) + 5)


# ---- changing ----

def step_store(lab):
    c, other = lab.imap('alice', 'INBOX'), lab.imap('alice', 'INBOX')
    uid = c.search('SUBJECT "Number 2"')[0]
    got = c.store(uid, '+', ['\\Flagged', 'work', '$Forwarded'])
    same(got[0]['FLAGS'] - {'\\Seen'}, {'\\Flagged', 'work', '$Forwarded'},
         'answer to STORE')
    _, r = other.command('NOOP')
    same([(d['UID'], 'work' in d['FLAGS']) for d in other.fetched(r)],
         [(uid, True)], 'what the other client is told')
    _, r = c.command('UID STORE %d +FLAGS.SILENT (home)' % uid)
    same(c.fetched(r), [], '.SILENT')
    _, r = c.command('NOOP')
    same(c.fetched(r), [], 'own change told again')
    same(c.uid_fetch(uid, 'FLAGS')[uid]['FLAGS'] - {'\\Seen'},
         {'\\Flagged', 'work', '$Forwarded', 'home'}, 'flags')
    same(c.search('KEYWORD home'), [uid], 'KEYWORD')
    c.store(uid, '-', ['work', 'home'])
    c.store(uid, '', ['\\Answered', '$LocalOnly'])
    same(c.uid_fetch(uid, 'FLAGS')[uid]['FLAGS'], {'\\Answered'}, 'FLAGS')
    c.store(uid, '', ['\\Flagged'])
    other.logout()
    # OK means kept.
    lab.restart(kill=True)
    c = lab.imap('alice', 'INBOX')
    same(c.uid_fetch(uid, 'FLAGS')[uid]['FLAGS'], {'\\Flagged'},
         'after kill -9')
    c.logout()
    lab.wait_for(lambda: [i for i in lab.server.items('alice')
                          if b'<m2@' in i.raw and '\\Flagged' in i.flags],
                 20, '\\Flagged at the server')
    return 'flags and keywords, told to others, kept through kill -9'


def step_numbers_of_two_clients(lab):
    """RFC 2180: each client has its own numbers until it may be told."""
    a, b = lab.imap('alice', 'INBOX'), lab.imap('alice', 'INBOX')
    n = len(a.search('ALL'))
    uids = a.search('ALL')
    a.store(uids[0], '+', ['\\Deleted'])
    _, got = a.command('EXPUNGE')
    same([r.number for r in got if r.word == 'EXPUNGE'], [1], 'EXPUNGE')
    # FETCH by number tells nothing of it, gives the flags, and says why.
    _, got = b.command('FETCH 1:2 (UID FLAGS)')
    same([(r['SEQ'], r['UID']) for r in b.fetched(got)],
         [(1, uids[0]), (2, uids[1])], 'flags of the gone one')
    check(not [r for r in got if r.word == 'EXPUNGE'], 'EXPUNGE in FETCH')
    e = refused(lambda: b.command('FETCH 1:2 (UID RFC822.SIZE)'),
                'EXPUNGEISSUED')
    _, got = b.command('STORE 2 +FLAGS (\\Flagged)')
    check(not [r for r in got if r.word == 'EXPUNGE'], 'EXPUNGE in STORE')
    _, got = b.command('SEARCH ALL')
    check(not [r for r in got if r.word == 'EXPUNGE'], 'EXPUNGE in SEARCH')
    _, got = b.command('UID FETCH %d (FLAGS)' % uids[1])
    same([r.number for r in got if r.word == 'EXPUNGE'], [1],
         'EXPUNGE in UID FETCH')
    _, got = b.command('FETCH 1 UID')
    same(b.fetched(got)[0]['UID'], uids[1], 'the numbers moved up')
    same(b.select('INBOX')['EXISTS'], n - 1, 'EXISTS')
    b.store(uids[1], '-', ['\\Flagged'])
    a.logout()
    b.logout()
    return e.text


def step_idle(lab):
    a, b = lab.imap('alice', 'INBOX'), lab.imap('alice', 'INBOX')
    a.idle()
    uid = b.search('SUBJECT "Number 3"')[0]
    b.store(uid, '+', ['\\Flagged'])
    r = a.idle_wait(lambda r: r.word == 'FETCH', 5)
    check(r, 'no FETCH in IDLE')
    began = time.monotonic()
    lab.server.inject('alice', plain(600))
    r = a.idle_wait(lambda r: r.word == 'EXISTS', 15)
    check(r, 'no EXISTS in IDLE')
    took = time.monotonic() - began
    b.store(uid, '+', ['\\Deleted'])
    b.command('UID EXPUNGE %d' % uid)
    r = a.idle_wait(lambda r: r.word == 'EXPUNGE', 5)
    check(r, 'no EXPUNGE in IDLE')
    a.done()
    a.idle()
    a.send(b'NONSENSE\r\n')
    refused(lambda: a.finish(a.idle_tag, 'IDLE'), status='BAD')
    a.command('NOOP')
    a.logout()
    b.logout()
    return 'new mail after %.2f s' % took


def step_move_and_expunge(lab):
    c = lab.imap('alice', 'INBOX')
    uids = c.search('OR SUBJECT "Number 4" SUBJECT "Number 5"')
    text, got = c.command('UID MOVE %d,%d %s' % (*uids, quote(lab.trash)))
    words = [r.word for r in got]
    check(words.index('OK') < words.index('EXPUNGE'), 'COPYUID first: %r',
          words)
    m = re.search(r'COPYUID (\d+) (\S+) ([^\]]+)', got[0].tokens[1])
    same(numbers(m.group(2)), uids, 'COPYUID source')
    same(words.count('EXPUNGE'), 2, 'EXPUNGEs')
    refused(lambda: c.move(c.search('ALL')[0], 'nowhere'), 'TRYCREATE')
    # \\Deleted and EXPUNGE: to the trash; there: for good.
    uid = c.search('SUBJECT "Number 6"')[0]
    keep = c.search('SUBJECT "Number 7"')[0]
    c.store('%d,%d' % (uid, keep), '+', ['\\Deleted'])
    _, got = c.command('UID EXPUNGE %d' % uid)
    same([r.word for r in got if r.word == 'EXPUNGE'], ['EXPUNGE'],
         'UID EXPUNGE')
    c.store(keep, '-', ['\\Deleted'])
    st = c.select(lab.trash)
    same(st['UIDVALIDITY'], int(m.group(1)), 'COPYUID validity')
    same(c.search('SUBJECT Number UID ' + m.group(3)), numbers(m.group(3)),
         'COPYUID target')
    check(c.search('SUBJECT "Number 6"'), 'it did not go to the trash')
    check(not c.search('DELETED'), '\\Deleted went along')
    gone = c.search('SUBJECT "Number 4"')[0]
    c.store(gone, '+', ['\\Deleted'])
    c.command('CLOSE')
    c.select(lab.trash)
    same(c.search('SUBJECT "Number 4"'), [], 'after CLOSE in the trash')
    c.logout()
    lab.wait_for(lambda: not [i for i in lab.server.items('alice', 'Trash')
                              if b'<m4@' in i.raw] and
                 [i for i in lab.server.items('alice', 'Trash')
                  if b'<m6@' in i.raw], 20, 'the trash at the server')
    return 'COPYUID, EXPUNGE, OK; trash and for good'


def copyuid(text):
    m = re.search(r'\[COPYUID (\d+) (\S+) ([^\]\s]+)\]', text)
    check(m, 'no COPYUID: %s', text)
    return (int(m.group(1)), dict(zip(numbers(m.group(2)),
                                      numbers(m.group(3)))))


def server_has(lab, folder, message_id):
    return sum(message_id in i.raw for i in lab.server.items('alice', folder))


def step_copy(lab):
    """A copy is local; COPY, \\Deleted and EXPUNGE move at the server."""
    c = lab.imap('alice', 'INBOX')
    c.command('CREATE Kept')
    uid = c.search('SUBJECT "Number 8"')[0]
    c.store(uid, '+', ['keep'])
    text, _ = c.command('UID COPY %d %s' % (uid, 'Kept'))
    validity, pairs = copyuid(text)
    same(list(pairs), [uid], 'COPYUID source')
    twice, _ = c.command('UID COPY %d INBOX' % uid)
    there = copyuid(twice)[1][uid]
    was = c.body(uid)
    same(c.body(there), was, 'the copy in the same mailbox')
    check('$LocalOnly' in c.uid_fetch(there, 'FLAGS')[there]['FLAGS'], 'flag')
    refused(lambda: c.command('UID COPY %d nowhere' % uid), 'TRYCREATE')
    st = c.select('Kept')
    same(st['UIDVALIDITY'], validity, 'COPYUID validity')
    copy = pairs[uid]
    same(c.uid_fetch(copy, 'FLAGS')[copy]['FLAGS'] - {'\\Seen'},
         {'keep', '$LocalOnly'}, 'flags of the copy')
    same(c.body(copy), was, 'the bytes of the copy')
    local = lab.account_status('alice')['local']
    check({'folder': 'Kept', 'uid': copy} in local, 'status: %r', local)
    same(server_has(lab, 'Kept', b'<m8@'), 0, 'copies at the server')
    # The younger copy in INBOX goes first: nothing happens at the server.
    c.select('INBOX')
    c.store(there, '+', ['\\Deleted'])
    c.command('EXPUNGE')
    c.store(uid, '+', ['\\Deleted'])
    c.command('EXPUNGE')
    lab.wait_for(lambda: server_has(lab, 'Kept', b'<m8@'), 20,
                 'the move at the server')
    same(server_has(lab, 'INBOX', b'<m8@'), 0, 'at the server in INBOX')
    same(server_has(lab, 'Trash', b'<m8@'), 0, 'at the server in the trash')
    c.select('Kept')
    same(c.search('SUBJECT "Number 8"'), [copy], 'the UID that was told')
    same(c.body(copy), was, 'the bytes')
    check('$LocalOnly' not in c.uid_fetch(copy, 'FLAGS')[copy]['FLAGS'],
          'it is still called local')
    c.logout()
    return text


def step_append(lab):
    c = lab.imap('alice')
    r = Raw(lab)
    r.ask(b'a LOGIN alice ' + lab.passwords['alice'].encode() + b'\r\n', 'a')
    got = r.ask(b'b APPEND INBOX {300}\r\n', 'b')
    check(got == got[-1:] and got[0].startswith('b NO [CANNOT] '),
          'refused before it is sent: %r', got)
    got = r.ask(b'c APPEND nowhere (\\Seen) {300}\r\n', 'c')
    check(got[-1].startswith('c NO [TRYCREATE] '), '%r', got)
    got = r.ask(b'd APPEND %s {999999999}\r\n' % quote(lab.drafts).encode(),
                'd')
    check(got[-1].startswith('d NO [TOOBIG] '), '%r', got)
    r.close()
    refused(lambda: c.append('INBOX', plain(1)), 'CANNOT')
    refused(lambda: c.append(lab.sent, plain(700)), 'CANNOT')
    text, _ = c.append(lab.drafts, plain(701), ['\\Seen', 'idea'],
                       '02-Jan-2006 15:04:05 +0100')
    m = re.search(r'\[APPENDUID (\d+) (\d+)\]', text)
    same(c.select(lab.drafts)['UIDVALIDITY'], int(m.group(1)), 'APPENDUID')
    uid = int(m.group(2))
    d = c.uid_fetch(uid)[uid]
    same(d['FLAGS'], {'\\Seen', '\\Draft', 'idea', '$LocalOnly'}, 'flags')
    same(d['INTERNALDATE'], '02-Jan-2006 14:04:05 +0000', 'INTERNALDATE')
    check(c.body(uid).endswith(plain(701)), 'the bytes')
    # A draft that was kept here leaves nothing in the trash.
    before = c.status(lab.trash)['MESSAGES']
    c.store(uid, '+', ['\\Deleted'])
    c.command('EXPUNGE')
    same(c.status(lab.trash)['MESSAGES'], before, 'trash')
    c.logout()
    return 'refused with the reason before the bytes come; drafts are kept'


def step_append_of_what_was_sent(lab):
    mail = plain(800).replace(b'From: Bob <bob@', b'From: Alice <alice@') \
                     .replace(b'To: alice@', b'To: bob@')
    lab.submit('alice', mail, ['bob@example.test'])
    c = lab.imap('alice')
    text, _ = c.append(lab.sent, mail, ['\\Seen', 'mine'])
    m = re.search(r'\[APPENDUID (\d+) (\d+)\]', text)
    check(m, 'no APPENDUID: %s', text)
    again, _ = c.append(lab.sent, mail, ['\\Seen'])
    same(again, text, 'the same again')
    c.select(lab.sent)
    uid = int(m.group(2))
    same(c.search('HEADER Message-ID <m800@'), [uid], 'one entry')
    check('mine' in c.uid_fetch(uid, 'FLAGS')[uid]['FLAGS'], 'flags')
    c.logout()
    return text


# ---- limits and ends ----

def step_progress(lab):
    """A server that takes its time: INPROGRESS every ten seconds."""
    lab.server.mischief('delay:12000', 'ItemOperations', 'alice', 3)
    lab.server.inject('alice', plain(900))
    c = lab.imap('alice', 'INBOX')
    lab.wait_for(lambda: c.command('NOOP') and
                 c.search('SUBJECT "Number 900"'), 20, 'the listing')
    uid = c.search('SUBJECT "Number 900"')[0]
    _, got = c.command('UID FETCH %d BODY.PEEK[]' % uid)
    lab.server.mischief_clear()
    told = [r.tokens[1] for r in got if r.word == 'OK']
    check(told and re.match(r'\[INPROGRESS \("a\d+" 0 1\)\] ', told[0]),
          'what was told: %r', told)
    c.logout()
    return told[0]


def step_imaplib(lab):
    """A client that we did not write."""
    m = imaplib.IMAP4(*lab.address('imap'))
    m.login('alice', lab.passwords['alice'])
    same(m.select('INBOX')[0], 'OK', 'select')
    same(m.search(None, 'ALL')[0], 'OK', 'search')
    typ, data = m.fetch('1:*', '(FLAGS UID RFC822.HEADER)')
    same(typ, 'OK', 'fetch')
    same(m.store('1', '+FLAGS', '\\Flagged')[0], 'OK', 'store')
    same(m.logout()[0], 'BYE', 'logout')
    return '%d headers' % (len(data) // 2)


def step_limits(lab):
    many = [Raw(lab) for _ in range(6)]
    late = Raw(lab)
    check(late.greeting.startswith('* OK'), 'greeting')
    check(late.line().startswith('* BYE too many'), 'the seventh')
    check(late.closed(), 'it stays open')
    for r in many:
        r.close()
    for _ in range(20):         # until it has seen the others go
        r = Raw(lab)
        r.sock.settimeout(15)
        began = time.monotonic()
        told = r.line()
        if not told.startswith('* BYE too many'):
            break
        time.sleep(0.2)
    check(told.startswith('* BYE Autologout'), 'no Autologout: %s', told)
    check(4 < time.monotonic() - began < 12, 'when')
    return 'max_imap_clients, login_timeout'


def step_farewell(lab):
    c = lab.imap('alice', 'INBOX')
    c.idle()
    lab.stop()
    r = refused(lambda: c.idle_wait(lambda r: False, 5), status='BYE')
    return r.text


STEPS = [step_greeting_and_capabilities, step_ways_to_log_in, step_tls,
         step_strict_and_pipelined, step_lists, step_make_rename_delete,
         step_fetch_items, step_seen, step_search, step_store,
         step_numbers_of_two_clients, step_idle, step_move_and_expunge,
         step_copy, step_append, step_append_of_what_was_sent, step_many_and_large,
         step_progress, step_imaplib]


def main():
    tap = Tap('the IMAP door')
    with Lab('imap', 'sandbox') as lab:
        for user in ('alice', 'bob'):
            lab.server.add_user(user)
        lab.server.start()
        for n in range(1, 12):
            lab.server.inject('alice', plain(n))
        lab.server.inject('alice', MULTI)
        lab.add_account('alice', keys=[])
        lab.start()
        lab.wait_for(lambda: lab.is_settled('alice'), 30, 'the first sync')
        tap.run(STEPS, lab)
        lab.failed |= tap.failed > 0
    with Lab('imap-limits', 'sandbox',
             'max_imap_clients = 6\nlogin_timeout = 5s\n') as lab:
        lab.server.add_user('alice')
        lab.server.start()
        lab.add_account('alice', keys=[])
        lab.start()
        tap.run([step_limits, step_farewell], lab)
        lab.failed |= tap.failed > 0
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
