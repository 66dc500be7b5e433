#!/usr/bin/python3
"""The end-to-end suite: what a user does, compared with what the server has.

    suite.py [sandbox:16.1 | sandbox:14.1 | sogo] [--count N]

A line per step with what was compared. The daemon under test is asked only
what a mail program would ask; the judges are the server's own mailbox and
openssl.
"""
import argparse
import datetime
import email.utils
import re
import smtplib
import sys
import time

import mails
import proc
from imapwire import ImapError
from lab import Lab
from servers import address, header, headers, until
from tap import Fatal, Tap, check, same

CAPABILITIES = '''IMAP4REV1 LITERAL+ IDLE UIDPLUS MOVE SPECIAL-USE NAMESPACE
UNSELECT ID ENABLE CHILDREN SASL-IR STARTTLS'''.split()
ADDED = ('authentication-results', 'x-sealpost-smime')


class Suite:
    def __init__(self, lab, count):
        self.lab = lab
        self.server = lab.server
        self.pki = lab.pki
        self.mails = {m.ident: m for m in mails.mailbox(lab.pki, count)}
        self.uid_of = {}
        self.serial = 0
        self.taken = set()

    def message(self, to, subject, body='Hello.\r\n', extra='', user='alice'):
        """A submission of the user's, and its Message-ID."""
        self.serial += 1
        ident = '<out%d.%d@client.example.test>' % (self.serial, time.time())
        return ('From: %s Example <%s@example.test>\r\n'
                'To: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: %s\r\n'
                'MIME-Version: 1.0\r\n'
                'Content-Type: text/plain; charset=utf-8\r\n'
                'Content-Transfer-Encoding: 8bit\r\n%s\r\n%s' % (
                    user.capitalize(), user, to, subject,
                    email.utils.formatdate(), ident, extra, body)).encode(), ident

    # ---- finding things at the server ----

    def at_server(self, user, ident, folder='INBOX'):
        """The items with this Message-ID or X-Test-Id."""
        name = 'Message-ID' if ident.startswith('<') else 'X-Test-Id'
        return [i for i in self.server.items(user, folder)
                if i.header(name) == ident]

    def delivered(self, user, ident, folder='INBOX'):
        got = self.lab.wait_for(lambda: self.at_server(user, ident, folder),
                                15, '%s in %s of %s' % (ident, folder, user))
        same(len(got), 1, 'copies of %s at the server' % ident)
        return got[0]

    # ---- finding things at the door ----

    def told(self, imap, ident, seconds=15):
        """The UID of a message that came; NOOP until it is there."""
        def look():
            imap.command('NOOP')
            return imap.search('HEADER Message-ID %s' % ident)
        got = self.lab.wait_for(look, seconds, '%s at the reader' % ident,
                                0.3)
        same(len(got), 1, 'messages with %s at the reader' % ident)
        return got[0]

    def result(self, view):
        """The smime= of our own Authentication-Results, which is on top."""
        check(view.lower().startswith(b'authentication-results:'),
              'no Authentication-Results on top of %r', view[:120])
        m = re.search(r';\s*smime=(\w+)', headers(
            view, 'Authentication-Results')[0])
        check(m, 'no smime= in %r', view[:200])
        return m.group(1)

    def stripped(self, view):
        """The view without the fields on top that the gateway added."""
        while view.split(b':', 1)[0].lower().decode() in ADDED:
            view = re.sub(rb'\A[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*', b'', view)
        return view


# ---- the steps ----

def step_greeting_and_capabilities(s):
    imap = s.lab.imap('bob')
    have = {str(c).upper() for c in imap.capability()}
    missing = [c for c in CAPABILITIES if c not in have and c != 'STARTTLS']
    check(not missing, 'not advertised: %s', missing)
    imap.logout()
    tls = s.lab.imap('bob', tls=True)
    tls.command('NOOP')
    tls.logout()
    smtp = s.lab.smtp()
    smtp.starttls(context=s.lab.tls_context())
    smtp.ehlo()
    for word in ('pipelining', 'size', '8bitmime', 'enhancedstatuscodes',
                 'auth'):
        check(smtp.has_extn(word), 'EHLO lacks %s', word)
    smtp.quit()
    return 'IMAP %d capabilities, IMAPS, SMTP with STARTTLS' % len(have)


def step_folder_list(s):
    imap = s.lab.imap('bob')
    want = {f for f in s.server.folders('bob')}
    got = s.lab.wait_for(
        lambda: imap.folders() if len(imap.folders()) >= len(want) else None,
        20, 'the folder list')
    same(sorted(got, key=str.upper), sorted(want, key=str.upper),
         'names of folders')
    for use, name in (('\\Sent', 'Sent'), ('\\Trash', 'Trash'),
                      ('\\Drafts', 'Drafts')):
        name = name
        check(use in got[name], '%s lacks %s: %s', name, use, got[name])
    imap.logout()
    return '%d folders as at the server, with their uses: %s' % (
        len(got), ', '.join(sorted(got)))


def step_folders_made_and_renamed(s):
    """FolderCreate, FolderUpdate, FolderDelete, and the way back."""
    imap = s.lab.imap('alice')
    name = 'Made %d' % time.time()
    imap.command('CREATE "%s"' % name)
    check(name in s.server.folders('alice'), 'not made at the server')
    imap.command('RENAME "%s" "%s again"' % (name, name))
    got = s.server.folders('alice')
    check(name not in got and name + ' again' in got, 'not renamed: %r', got)
    imap.command('DELETE "%s again"' % name)
    check(name + ' again' not in s.server.folders('alice'), 'not deleted')
    check(name + ' again' not in imap.folders(), 'still listed')
    imap.logout()
    return 'made, renamed and deleted at the server'


def step_first_sync(s):
    """EXISTS, each mail once, flags, dates, UIDs in order of arrival."""
    began = time.monotonic()
    imap = s.lab.imap('bob', timeout=240)
    selected = imap.select('INBOX')
    took = time.monotonic() - began
    same(selected['EXISTS'], len(s.mails), 'EXISTS')
    got = imap.all('(UID FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS '
                   '(X-Test-Id)])')
    same(len(got), len(s.mails), 'messages')
    last = None
    for uid in sorted(got):
        d = got[uid]
        ident = header(d['BODY[HEADER.FIELDS (X-TEST-ID)]'], 'X-Test-Id')
        check(ident in s.mails, 'no mail is %r', ident)
        check(ident not in s.uid_of, '%s is there twice', ident)
        s.uid_of[ident] = uid
        m = s.mails[ident]
        when = datetime.datetime.strptime(d['INTERNALDATE'].strip(),
                                          '%d-%b-%Y %H:%M:%S %z')
        same(when, m.date, 'INTERNALDATE of %s' % ident)
        check(last is None or last <= when, 'UID %d of %s is before an older '
              'message', uid, ident)
        last = when
        same(d['FLAGS'] - {'\\Recent'} - {f for f in d['FLAGS']
                                          if f.startswith('$')},
             m.flags, 'flags of %s' % ident)
    s.validity = selected['UIDVALIDITY']
    check(selected['UIDNEXT'] > max(got), 'UIDNEXT %d', selected['UIDNEXT'])
    imap.logout()
    return '%d mails, each once, UIDs in order of their dates, flags and ' \
           'dates equal; SELECT %.1f s' % (len(got), took)


def step_every_byte(s):
    """What a reader gets is what the server has, under our verdict."""
    imap = s.lab.imap('bob', 'INBOX', timeout=240)
    got = imap.all('(UID RFC822.SIZE BODY.PEEK[])')
    items = {i.header('X-Test-Id'): i for i in s.server.items('bob')}
    exact = opened = altered = 0
    wrong = []
    for ident, m in sorted(s.mails.items()):
        view = got[s.uid_of[ident]]['BODY[]']
        same(len(view), got[s.uid_of[ident]]['RFC822.SIZE'],
             'RFC822.SIZE of %s' % ident)
        result = s.result(view)
        if m.verdict:
            same(result, m.verdict, 'smime= of %s (%s)' % (ident, m.shape))
        if m.inside:
            check(m.inside in view, '%s (%s) shows nothing of its inside: %r',
                  ident, m.shape, view[-300:])
            opened += 1
            continue
        rest = s.stripped(view)
        raw = items[ident].raw
        if m.shape == 'forged_results':
            check(b'X-Sealpost-SMIME' not in rest, 'a forged field stayed')
            raw = re.sub(rb'(?m)^X-Sealpost-SMIME:[^\n]*\n', b'', raw)
        if rest == raw:
            exact += 1
        elif m.odd and not s.server.exact:
            altered += 1
        else:
            wrong.append('%s (%s): %r instead of %r' % (
                ident, m.shape, rest[:300], raw[:300]))
    imap.logout()
    check(not wrong, '%d mails differ: %s', len(wrong), '; '.join(wrong))
    return '%d mails byte for byte as at the server, %d opened, sizes told ' \
           'are true%s' % (exact, opened, ', %d altered by the server'
                           % altered if altered else '')


def step_structures(s):
    """ENVELOPE and BODYSTRUCTURE of all, and parts by number."""
    imap = s.lab.imap('bob', 'INBOX', timeout=240)
    got = imap.all('(UID ENVELOPE BODYSTRUCTURE)')
    same(len(got), len(s.mails), 'messages')
    for uid, d in got.items():
        same(len(d['ENVELOPE']), 10, 'fields of the ENVELOPE of %d' % uid)
        check(isinstance(d['BODYSTRUCTURE'], list), 'BODYSTRUCTURE of %d', uid)
    for ident, m in s.mails.items():
        d = got[s.uid_of[ident]]
        same(d['ENVELOPE'][9], (header(m.raw, 'Message-ID') or '').encode(),
             'Message-ID of %s' % ident)
        if m.shape == 'attachment':
            same(d['BODYSTRUCTURE'][1][:2], [b'application', b'octet-stream']
                 if isinstance(d['BODYSTRUCTURE'][1][0], bytes)
                 and d['BODYSTRUCTURE'][1][0].islower()
                 else d['BODYSTRUCTURE'][1][:2], 'second part')
            same(d['BODYSTRUCTURE'][1][0].lower(), b'application',
                 'type of the second part')
    ident = next(i for i, m in s.mails.items() if m.shape == 'rfc2231')
    part = imap.body(s.uid_of[ident], '2')
    same(part.strip(), mails.b64(b'%PDF-1.4 not really\n').strip(),
         'BODY[2] of %s' % ident)
    imap.logout()
    return 'ENVELOPE and BODYSTRUCTURE of %d, BODY[2]' % len(got)


def step_new_mail_wakes_IDLE(s):
    imap = s.lab.imap('bob', 'INBOX')
    before = imap.selected['EXISTS']
    imap.idle()
    # Until the daemon waits in its Ping: what comes before is not the Ping's.
    s.lab.wait_for(lambda: s.lab.account_status('bob')
                   .get('state') == 'waiting', 30, 'waiting in Ping')
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    raw = mails.head('new1', now, 'News').encode() + b'\r\nFresh.\r\n'
    began = time.monotonic()
    s.server.inject('bob', raw)
    r = imap.idle_wait(lambda r: r.word == 'EXISTS' and r.number > before,
                       s.server.ping_s * 2)
    took = time.monotonic() - began
    check(r, 'no EXISTS within %d s', s.server.ping_s * 2)
    same(r.number, before + 1, 'EXISTS')
    imap.done()
    uid = max(imap.search('ALL'))
    check(uid > max(s.uid_of.values()), 'UID %d is not a new one', uid)
    view = imap.body(uid)
    same(s.stripped(view), raw, 'the new mail')
    s.uid_of['new1'] = uid
    check(took < s.server.ping_s, 'it took %.1f s', took)
    imap.logout()
    return 'EXISTS %d after %.2f s in IDLE, next UID, bytes equal' % (
        before + 1, took)


def _take(s, n):
    """Ordinary mails of INBOX, each given out once."""
    out = [i for i, m in sorted(s.mails.items())
           if i in s.uid_of and i not in s.taken and not m.odd
           and m.verdict == 'none' and not m.inside and not m.flags
           and i[0] == 'm'][:n]
    check(len(out) == n, 'too few mails: --count is too small')
    s.taken.update(out)
    return out


def step_read_and_flag_upwards(s):
    imap = s.lab.imap('bob', 'INBOX')
    a, b = _take(s, 2)
    imap.store(s.uid_of[a], '+', ['\\Seen', '\\Flagged'])
    imap.store(s.uid_of[b], '+', ['\\Seen'])

    def arrived():
        return '\\Flagged' in s.at_server('bob', a)[0].flags \
            and '\\Seen' in s.at_server('bob', b)[0].flags
    _, took = s.lab.timed(lambda: s.lab.wait_for(arrived, 10, 'the flags at '
                                                 'the server'))
    same(s.at_server('bob', a)[0].flags & {'\\Seen', '\\Flagged'},
         {'\\Seen', '\\Flagged'}, 'flags of %s' % a)
    imap.store(s.uid_of[a], '-', ['\\Seen', '\\Flagged'])
    s.lab.wait_for(lambda: not s.at_server('bob', a)[0].flags
                   & {'\\Seen', '\\Flagged'}, 10, 'the flags off')
    imap.logout()
    return 'on and off again in the server\'s mailbox, after %.1f s' % took


def step_read_and_flag_downwards(s):
    imap = s.lab.imap('bob', 'INBOX')
    a, b = _take(s, 2)
    s.server.set_flags('bob', s.at_server('bob', a)[0], ['\\Flagged'])
    s.server.set_flags('bob', s.at_server('bob', b)[0], ['\\Seen'])

    def arrived():
        imap.command('NOOP')
        got = imap.all('(UID FLAGS)')
        return '\\Flagged' in got[s.uid_of[a]]['FLAGS'] \
            and '\\Seen' in got[s.uid_of[b]]['FLAGS']
    _, took = s.lab.timed(lambda: s.lab.wait_for(
        arrived, 20, 'the flags at the reader', 0.3))
    imap.logout()
    return 'a flag and a read mark, set at the server, shown after %.1f s' \
        % took


def step_keywords(s):
    """Keywords are Categories; they survive a restart."""
    imap = s.lab.imap('bob', 'INBOX')
    a = _take(s, 1)[0]
    imap.store(s.uid_of[a], '+', ['Urgent', 'Later'])
    imap.store(s.uid_of[a], '-', ['Later'])
    if s.server.exact:
        s.lab.wait_for(lambda: s.server.keywords('bob', s.at_server(
            'bob', a)[0]) == {'Urgent'}, 10, 'the category at the server')
    got = imap.uid_fetch(s.uid_of[a], '(UID FLAGS)')[s.uid_of[a]]['FLAGS']
    check('Urgent' in got and 'Later' not in got, 'flags %s', got)
    imap.logout()
    return 'Urgent set, Later set and taken away%s' % (
        '; a Category at the server' if s.server.exact else '')


def step_move(s):
    imap = s.lab.imap('bob', 'INBOX')
    a = _take(s, 1)[0]
    raw = s.at_server('bob', a)[0].raw
    view = imap.body(s.uid_of[a])
    pairs = imap.move(s.uid_of[a], 'Trash')
    new = pairs[s.uid_of[a]]
    s.lab.wait_for(lambda: not s.at_server('bob', a)
                   and s.at_server('bob', a, 'Trash'), 15, 'the move at the '
                   'server')
    got = s.at_server('bob', a, 'Trash')
    same(len(got), 1, 'copies in the target')
    same(got[0].raw, raw, 'the bytes at the server')
    imap.select('Trash')
    same(imap.body(new), view, 'the bytes under the new UID')
    time.sleep(3)  # a Sync of the target must not make a second entry
    imap.command('NOOP')
    same(imap.search('HEADER X-Test-Id ' + a), [new], 'UIDs in the target')
    imap.logout()
    del s.uid_of[a]
    return 'COPYUID %s, once in the server\'s Trash, same bytes' % pairs


def step_moved_and_deleted_elsewhere(s):
    imap = s.lab.imap('bob', 'INBOX')
    a, b = _take(s, 2)
    s.server.remove('bob', s.at_server('bob', a)[0])
    s.server.move('bob', s.at_server('bob', b)[0], 'INBOX', 'Trash')

    def gone():
        imap.command('NOOP')
        left = imap.search('ALL')
        return s.uid_of[a] not in left and s.uid_of[b] not in left
    _, took = s.lab.timed(lambda: s.lab.wait_for(gone, 20, 'EXPUNGE at the '
                                                 'reader', 0.3))
    imap.select('Trash')
    s.lab.wait_for(lambda: (imap.command('NOOP'),
                            imap.search('HEADER X-Test-Id ' + b))[1], 20,
                   'the moved one in Trash', 0.3)
    imap.logout()
    del s.uid_of[a], s.uid_of[b]
    return 'both gone from INBOX after %.1f s, the moved one in Trash' % took


def step_delete(s):
    """EXPUNGE moves to the trash; EXPUNGE there is for good."""
    imap = s.lab.imap('bob', 'INBOX')
    a = _take(s, 1)[0]
    imap.store(s.uid_of[a], '+', ['\\Deleted'])
    imap.command('UID EXPUNGE %d' % s.uid_of[a])
    check(s.uid_of[a] not in imap.search('ALL'), 'still there')
    s.lab.wait_for(lambda: not s.at_server('bob', a)
                   and len(s.at_server('bob', a, 'Trash')) == 1, 15,
                   'the mail in the server\'s Trash')
    imap.select('Trash')
    uid = s.lab.wait_for(lambda: (imap.command('NOOP'), imap.search(
        'HEADER X-Test-Id ' + a))[1], 15, 'the mail in Trash', 0.3)[0]
    imap.store(uid, '+', ['\\Deleted'])
    imap.command('UID EXPUNGE %d' % uid)
    s.lab.wait_for(lambda: not s.at_server('bob', a, 'Trash'), 15,
                   'the end of it')
    imap.logout()
    del s.uid_of[a]
    return 'from INBOX to the server\'s Trash, from there for good'


# ---- mail out ----

def _clean_transport(raw):
    """What SPEC section 8 promises of what goes upstream."""
    check(all(c < 128 for c in raw), '8-bit bytes went upstream')
    check(max(len(x) for x in raw.split(b'\r\n')) <= 998, 'a line over 998')


def step_submit_plain(s):
    raw, ident = s.message('bob@example.test', 'Plain', 'Grüße, plain.\r\n')
    answer = s.lab.submit('alice', raw, ['bob@example.test'])
    item = s.delivered('bob', ident)
    _clean_transport(item.raw)
    check(b'multipart/signed' not in item.raw, 'it was signed')
    same(item.header('Subject'), 'Plain', 'Subject')
    imap = s.lab.imap('bob', 'INBOX')
    view = imap.body(s.told(imap, ident))
    same(s.result(view), 'none', 'smime= at the reader')
    imap.logout()
    return '%s; once in Bob\'s mailbox, smime=none at his reader' % answer


def _know_certificate(s, user, name, whose):
    """By ResolveRecipients where the server can, else by hand."""
    if not s.server.certificates:
        s.lab.add_certificate(user, name, whose)


def _peak_kb(s, reset=False):
    """Of the daemon's memory, since the start or the last reset; a login's
    scrypt is in it, so it is a bound from above."""
    if reset:
        with open('/proc/%d/clear_refs' % s.lab.daemon.pid, 'w') as f:
            f.write('5')
    with open('/proc/%d/status' % s.lab.daemon.pid) as f:
        return int([x for x in f if x.startswith('VmHWM')][0].split()[1])


def step_submit_large(s):
    """10 MB: streamed from its encrypted file in the queue, byte for byte."""
    line = '0123456789abcdef' * 4 + '\r\n'
    body = line * 160000
    raw, ident = s.message('bob@example.test', 'Large', body)
    before = _peak_kb(s, reset=True)
    _, took = s.lab.timed(lambda: s.lab.submit('alice', raw,
                                               ['bob@example.test']))
    grown = _peak_kb(s) - before
    item = s.delivered('bob', ident)
    got = item.raw.split(b'\r\n\r\n', 1)[1].replace(b'\n', b'\r\n') \
        if b'\r\n' not in item.raw[-100:] else \
        item.raw.split(b'\r\n\r\n', 1)[1]
    check(got.strip() == body.encode().strip(), 'the text at the server')
    check(proc.sanitized() or grown * 1024 < 6 * len(raw),
          'the daemon grew by %d kB', grown)
    return '%.1f MB in %.1f s; the daemon\'s peak grew by %.1f MB' % (
        len(raw) / 1e6, took, grown / 1e3)


def step_answer_marks_the_original(s):
    """SmartReply and SmartForward with ReplaceMime: the server knows."""
    raw, ident = s.message('alice@example.test', 'Question', 'Well?\r\n')
    s.server.inject('bob', raw)
    imap = s.lab.imap('bob', 'INBOX')
    uid = s.told(imap, ident)
    question = header(imap.body(uid), 'Message-ID')
    def flags():
        imap.command('NOOP')
        return imap.uid_fetch(uid, '(UID FLAGS)')[uid]['FLAGS']
    check('\\Answered' not in flags(), 'answered already')
    raw, ident = s.message('alice@example.test', 'Re: Question', 'So.\r\n',
                           'In-Reply-To: %s\r\n' % question, user='bob')
    s.lab.submit('bob', raw, ['alice@example.test'])
    item = s.delivered('alice', ident)
    check(b'Well?' not in item.raw, 'the server added the original')
    s.lab.wait_for(lambda: '\\Answered' in flags(), 15,
                   '\\Answered at the reader', 0.3)
    raw, ident = s.message('carol@example.test', 'Fwd: Question', 'See.\r\n',
                           'X-Forwarded-Message-Id: %s\r\n' % question,
                           user='bob')
    s.lab.submit('bob', raw, ['carol@example.test'])
    s.delivered('carol', ident)
    s.lab.wait_for(lambda: '$Forwarded' in flags(), 15,
                   '$Forwarded at the reader', 0.3)
    imap.logout()
    if not hasattr(s.server, 'log'):
        return 'delivered as it was written; \\Answered, $Forwarded'
    same([x['command'] for x in s.server.log()
          if x.get('command') in ('SmartReply', 'SmartForward')],
         ['SmartReply', 'SmartForward'], 'the commands')
    return 'by one SmartReply and one SmartForward, as they were written; ' \
           '\\Answered, $Forwarded'


def step_submit_signed(s):
    raw, ident = s.message('bob@example.test', 'Signed', 'Grüße, signed.\r\n',
                           'X-Sealpost: sign=yes; encrypt=no\r\n')
    s.lab.submit('alice', raw, ['bob@example.test'])
    item = s.delivered('bob', ident)
    _clean_transport(item.raw)
    same(s.pki.signer(item.raw), ['alice@example.test'],
         'the signer by openssl')
    check(b'X-Sealpost:' not in item.raw, 'the wish was sent')
    imap = s.lab.imap('bob', 'INBOX')
    view = imap.body(s.told(imap, ident))
    same(s.result(view), 'pass', 'smime= at the reader')
    check('alice@example.test' in headers(view, 'Authentication-Results')[0],
          'no signer in %r', view[:300])
    check(header(view, 'X-Sealpost-SMIME'), 'no X-Sealpost-SMIME')
    check(s.pki.verifies(s.stripped(view)), 'the view does not verify')
    imap.logout()
    return 'openssl verifies Alice\'s signature at the server and in Bob\'s ' \
           'view; smime=pass'


def step_harvest(s):
    """Bob learned Alice's certificates from her signature."""
    def known():
        text = s.lab.ctl('cert', 'list', 'bob', as_json=False)
        return text if 'alice@example.test' in text else None
    s.lab.wait_for(known, 10, 'Alice\'s certificate with Bob')
    return 'alice@example.test is in Bob\'s certificates'


def step_submit_signed_and_encrypted(s):
    _know_certificate(s, 'alice', 'bob-enc', 'bob')
    raw, ident = s.message('bob@example.test', 'Sealed', 'Grüße, sealed.\r\n',
                           'X-Sealpost: sign=yes; encrypt=yes\r\n')
    s.lab.submit('alice', raw, ['bob@example.test'])
    item = s.delivered('bob', ident)
    _clean_transport(item.raw)
    same(s.pki.recipients(item.raw),
         {s.pki.serial('bob-enc'), s.pki.serial('alice-enc')},
         'RecipientInfos by openssl')
    check(b'sealed.' not in item.raw, 'the text is readable')
    inner = s.pki.decrypt('bob-enc', item.raw)
    same(s.pki.signer(inner), ['alice@example.test'], 'the inner signer')
    imap = s.lab.imap('bob', 'INBOX')
    view = imap.body(s.told(imap, ident))
    same(s.result(view), 'pass', 'smime= at the reader')
    detail = header(view, 'X-Sealpost-SMIME') or ''
    check('encrypted=yes' in detail and 'decrypted=yes' in detail,
          'X-Sealpost-SMIME: %r', detail)
    check(b'sealed.' in view, 'Bob cannot read it: %r', view[-300:])
    same(header(view, 'Subject'), 'Sealed', 'Subject')
    imap.logout()
    return 'openssl: for Bob and Alice only, signed by Alice inside; Bob ' \
           'reads it, smime=pass, %s' % detail.split(';')[1].strip()


def step_sent_shows_what_left(s):
    imap = s.lab.imap('alice', 'Sent')
    s.lab.wait_for(lambda: (imap.command('NOOP'),
                            len(imap.search('ALL')) >= 3)[1], 20,
                   'three mails in Sent', 0.3)
    time.sleep(2 * s.server.slow)
    imap.command('NOOP')
    got = imap.all('(UID FLAGS BODY.PEEK[])')
    items = s.server.items('alice', 'Sent')
    same(len(items), 3, 'copies in the server\'s Sent')
    same(len(got), 3, 'entries in Sent')
    for d in got.values():
        view = d['BODY[]']
        ident = header(view, 'Message-ID')
        same(len(s.at_server('alice', ident, 'Sent')), 1,
             'copies of %s' % ident)
        if header(view, 'Subject') == 'Sealed':
            check(b'sealed.' in view, 'Alice cannot read what she sent')
    imap.logout()
    return 'three entries for three mails; the sealed one is readable'


def step_refused_without_certificate(s):
    raw, ident = s.message('dave@example.test', 'For nobody', 'x\r\n',
                           'X-Sealpost: encrypt=yes\r\n')
    before = len(s.server.items('alice', 'Sent'))
    try:
        s.lab.submit('alice', raw, ['dave@example.test'])
    except smtplib.SMTPRecipientsRefused as e:
        code, text = e.recipients['dave@example.test']
    except smtplib.SMTPDataError as e:
        code, text = e.smtp_code, e.smtp_error
    else:
        raise AssertionError('it was taken')
    text = text.decode()
    check(code in (550, 554) and text.startswith('5.7.5'), '%d %s', code, text)
    check('dave@example.test' in text and 'ertificate' in text,
          'the reason is not told: %s', text)
    same(len(s.server.items('alice', 'Sent')), before, 'mails in Sent')
    # Where encryption is certain, RCPT says it already.
    smtp = s.lab.smtp('carol')
    smtp.mail('carol@example.test')
    code2, text2 = smtp.rcpt('dave@example.test')
    same(code2, 550, 'the answer to RCPT')
    check(text2.startswith(b'5.7.5'), 'RCPT: %r', text2)
    smtp.quit()
    return 'DATA: %d %s; RCPT where all is encrypted: %d' % (code, text,
                                                             code2)


def step_bcc(s):
    """The hidden one gets an own encryption; nobody else sees it."""
    _know_certificate(s, 'alice', 'carol-enc', 'carol')
    raw, ident = s.message('bob@example.test', 'Hidden', 'For two.\r\n',
                           'Bcc: carol@example.test\r\n'
                           'X-Sealpost: sign=yes; encrypt=yes\r\n')
    sent = len(s.server.items('alice', 'Sent'))
    s.lab.submit('alice', raw, ['bob@example.test', 'carol@example.test'])
    bob = s.delivered('bob', ident)
    carol = s.delivered('carol', ident)
    a, b, c = (s.pki.serial(n + '-enc') for n in ('alice', 'bob', 'carol'))
    same(s.pki.recipients(bob.raw), {a, b}, 'who can read Bob\'s')
    check(c in s.pki.recipients(carol.raw)
          and b not in s.pki.recipients(carol.raw),
          'who can read Carol\'s: %s', s.pki.recipients(carol.raw))
    for text in (bob.raw, s.pki.decrypt('bob-enc', bob.raw)):
        check(b'carol' not in text.lower(), 'Bob sees Carol: %r', text[:900])
    check(header(carol.raw, 'Bcc') is None or 'carol' in carol.header('Bcc'),
          'Carol\'s Bcc')
    imap = s.lab.imap('carol', 'INBOX')
    view = imap.body(s.told(imap, ident))
    check(b'For two.' in view, 'Carol cannot read it')
    same(s.result(view), 'pass', 'smime= at Carol\'s reader')
    imap.logout()
    s.lab.wait_for(lambda: len(s.server.items('alice', 'Sent')) > sent, 15,
                   'a copy in Sent')
    time.sleep(1)
    same(len(s.server.items('alice', 'Sent')), sent + 1, 'copies in Sent')
    return 'Bob: for Bob and Alice; Carol: an own one; one copy in Sent'


def step_envelope_and_headers_agree(s):
    """In a header but not in the envelope: gets nothing."""
    raw, ident = s.message('bob@example.test, carol@example.test',
                           'Only to Bob')
    s.lab.submit('alice', raw, ['bob@example.test'])
    item = s.delivered('bob', ident)
    check('carol' not in (item.header('To') or ''), 'To: %s',
          item.header('To'))
    check('carol' in (item.header('X-Sealpost-To') or ''),
          'X-Sealpost-To: %s', item.header('X-Sealpost-To'))
    time.sleep(1)
    same(s.at_server('carol', ident), [], 'mails of Carol')
    return 'only Bob got it; Carol is named in X-Sealpost-To'


def step_nothing_changes_by_a_restart(s):
    imap = s.lab.imap('bob', 'INBOX')
    items = '(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])'
    count = len(s.server.items('bob'))
    s.lab.wait_for(lambda: (imap.command('NOOP'), len(imap.search('ALL'))
                            == count)[1], 15, 'all mail at the reader', 0.3)
    before = imap.all(items)
    validity = imap.selected['UIDVALIDITY']
    same(validity, s.validity, 'UIDVALIDITY')
    for ident, uid in s.uid_of.items():
        check(uid in before, 'UID %d of %s is gone', uid, ident)
    imap.close()
    s.lab.restart()
    imap = s.lab.imap('bob', 'INBOX')
    after = imap.all(items)
    same(imap.selected['UIDVALIDITY'], validity, 'UIDVALIDITY')
    same(sorted(after), sorted(before), 'UIDs')
    for uid, was in before.items():
        for key in ('INTERNALDATE', 'RFC822.SIZE', 'BODY[]', 'FLAGS'):
            a, b = was[key], after[uid][key]
            if key == 'FLAGS':
                a, b = a - {'\\Recent'}, b - {'\\Recent'}
            same(b, a, '%s of UID %d' % (key, uid))
    imap.logout()
    return '%d messages: UIDs, flags, dates, sizes and bytes equal' \
        % len(before)


STEPS = [
    step_greeting_and_capabilities, step_folder_list,
    step_folders_made_and_renamed, step_first_sync,
    step_every_byte, step_structures, step_new_mail_wakes_IDLE,
    step_read_and_flag_upwards, step_read_and_flag_downwards, step_keywords,
    step_move, step_moved_and_deleted_elsewhere, step_delete,
    step_submit_plain, step_answer_marks_the_original, step_submit_signed,
    step_harvest,
    step_submit_signed_and_encrypted, step_sent_shows_what_left,
    step_refused_without_certificate, step_bcc,
    step_envelope_and_headers_agree, step_submit_large,
    step_nothing_changes_by_a_restart,
]


def prepare(lab, suite):
    server, pki = lab.server, lab.pki
    for user in ('alice', 'bob', 'carol'):
        server.add_user(user)
    if server.certificates:
        server.publish('bob', [pki.pem('bob-enc')])
        server.publish('carol', [pki.pem('carol-enc')])
    server.put('bob', suite.mails.values())
    server.start()
    lab.add_account('alice')
    lab.add_account('bob')
    lab.start()
    # Carol comes while it runs.
    lab.add_account('carol', ['sign=always', 'encrypt=always'])


def main(argv=None):
    p = argparse.ArgumentParser()
    p.add_argument('backend', nargs='?', default='sandbox:16.1')
    p.add_argument('--count', type=int, default=300)
    args = p.parse_args(argv)
    tap = Tap('end-to-end suite against ' + args.backend)
    with Lab('suite', args.backend) as lab:
        suite = Suite(lab, args.count)
        prepare(lab, suite)
        tap.run(STEPS, suite)
        lab.failed |= tap.failed > 0
        status = tap.end()
    return status


if __name__ == '__main__':
    sys.exit(main())
