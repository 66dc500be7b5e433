#!/usr/bin/python3
"""Bad input, one test each: a clear error of its own in the protocol and in
the log, and the daemon serves on.

    bad_input.py [STEP...]
"""
import datetime
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import time

import mails
import proc
from imapwire import ImapError
from lab import CtlError, Lab
from servers import Sandbox, until
from tap import Skip, Tap, check, same

NOW = datetime.datetime(2024, 6, 1, 9, 0, 0, tzinfo=datetime.timezone.utc)
LIMIT = 100000


class Bad:
    def __init__(self, lab):
        self.lab = lab
        self.server = lab.server

    def serves_on(self):
        """The same process, for somebody who did nothing wrong."""
        check(self.lab.daemon.alive(), 'the daemon ended: %s',
              self.lab.daemon.tail(5))
        imap = self.lab.imap('carol', 'INBOX')
        imap.command('NOOP')
        imap.logout()
        smtp = self.lab.smtp('carol')
        same(smtp.noop()[0], 250, 'NOOP')
        smtp.quit()

    def logged(self, *words):
        line = self.lab.log_has(words, 10 * self.server.slow)
        check(line, 'the log does not say %s', words)
        return line

    def message(self, ident, body='Text.\r\n', to='bob@example.test',
                extra='', sender='alice@example.test'):
        return ('From: %s\r\nTo: %s\r\nSubject: Bad input\r\n'
                'Date: Sat, 1 Jun 2024 09:00:00 +0000\r\n'
                'Message-ID: <%s@client.example.test>\r\n%s\r\n%s' % (
                    sender, to, ident, extra, body)).encode()

    def refused(self, user, raw, to):
        """(code, text) of the refusal, at RCPT or at DATA."""
        try:
            answer = self.lab.submit(user, raw, to)
        except smtplib.SMTPRecipientsRefused as e:
            code, text = list(e.recipients.values())[0]
        except smtplib.SMTPDataError as e:
            code, text = e.smtp_code, e.smtp_error
        except smtplib.SMTPSenderRefused as e:
            code, text = e.smtp_code, e.smtp_error
        else:
            raise AssertionError('it was taken: %s' % answer)
        return code, text.decode()

    def imap_error(self, what):
        try:
            what()
        except ImapError as e:
            return e
        raise AssertionError('no error')

    def state(self, user, wanted, seconds=20):
        def look():
            got = self.lab.account_status(user)
            return got if wanted(got) else None
        return self.lab.wait_for(look, seconds, 'the state of %s' % user)


# ---- who are you ----

def step_wrong_local_password(b):
    imap = b.lab.imap('carol')
    imap.logout()
    from imapwire import Imap
    c = Imap(b.lab.address('imap'))
    e = b.imap_error(lambda: c.login('alice', 'wrong'))
    same((e.status, e.code), ('NO', 'AUTHENTICATIONFAILED'), 'LOGIN')
    e2 = b.imap_error(lambda: c.login('nobody', 'wrong'))
    same(e2.text, e.text, 'the answer for an unknown login')
    c.login('alice', b.lab.passwords['alice'])
    c.logout()
    smtp = b.lab.smtp()
    try:
        smtp.login('alice', 'wrong')
    except smtplib.SMTPAuthenticationError as x:
        code, text = x.smtp_code, x.smtp_error.decode()
    else:
        raise AssertionError('AUTH took a wrong password')
    smtp.quit()
    check(code == 535 and text.startswith('5.7.8'), 'AUTH: %d %s', code, text)
    b.logged('login=alice', 'wrong login or password')
    log = b.lab.daemon.text()
    check('"wrong"' not in log and b.lab.passwords['alice'] not in log,
          'a password stands in the log')
    return 'LOGIN: NO %s; AUTH: %d %s' % (e.text, code, text)


def step_wrong_upstream_password(b):
    b.lab.wait_for(lambda: b.lab.is_settled('alice'), 20, 'rest')
    # From the beginning: nobody waits for ever.
    b.server.add_user('frank')
    told = b.lab.ctl('account', 'add', 'frank', '--address',
                     'frank@example.test', '--server', b.server.url,
                     '--ca-file', b.server.ca, '--password-stdin',
                     stdin='wrong\n')
    b.lab.passwords['frank'] = told['password']
    imap = b.lab.imap('frank', timeout=20)
    e = b.imap_error(lambda: imap.select('INBOX'))
    same((e.status, e.code), ('NO', 'ALERT'), 'SELECT: %s' % e.text)
    imap.logout()
    b.lab.ctl('account', 'password', 'alice', '--password-stdin',
              stdin='not the right one\n')
    told = b.state('alice', lambda a: a['state'] == 'stopped')
    check('refused name or password' in told['error'], 'status: %s', told)
    b.logged('account=alice', 'stopped')
    asked = len([r for r in b.server.log() if r.get('http') == 401])
    check(asked >= 1, 'the server was not asked')
    code, text = b.refused('alice', b.message('nologin'),
                           ['bob@example.test'])
    check(code == 451 and text.startswith('4.7.0'), 'SMTP: %d %s', code, text)
    time.sleep(3)
    again = len([r for r in b.server.log() if r.get('http') == 401])
    check(again <= asked + 2, 'it was tried %d times', again)
    imap = b.lab.imap('alice')  # what is here is still shown
    imap.select('INBOX')
    imap.logout()
    b.lab.ctl('account', 'password', 'alice', '--password-stdin',
              stdin=b.server.password('alice') + '\n')
    b.state('alice', lambda a: a['state'] in ('waiting', 'working'))
    b.lab.submit('alice', b.message('login'), ['bob@example.test'])
    return 'SELECT: NO %s; SMTP: %d %s; %d refusals at the server, no ' \
           'storm; runs again with the right one' % (e.text, code, text,
                                                     again)


# ---- what is that ----

def step_unknown_folder(b):
    imap = b.lab.imap('alice')
    e = b.imap_error(lambda: imap.select('No/such folder'))
    same((e.status, e.code), ('NO', 'NONEXISTENT'), 'SELECT')
    e2 = b.imap_error(lambda: imap.status('Nothing'))
    same((e2.status, e2.code), ('NO', 'NONEXISTENT'), 'STATUS')
    imap.select('INBOX')
    uid = max(imap.search('ALL'))
    e3 = b.imap_error(lambda: imap.move(uid, 'Nowhere'))
    same((e3.status, e3.code), ('NO', 'TRYCREATE'), 'MOVE')
    imap.logout()
    b.logged('account=alice', 'No/such folder')
    return 'SELECT: NO %s; MOVE: NO %s' % (e.text, e3.text)


def step_oversize_message(b):
    smtp = b.lab.smtp('alice')
    same(smtp.esmtp_features['size'], str(LIMIT), 'SIZE of EHLO')
    code, text = smtp.mail('alice@example.test', ['SIZE=%d' % (LIMIT + 1)])
    check(code == 552 and text.startswith(b'5.3.4'), 'MAIL SIZE=: %d %r',
          code, text)
    smtp.quit()
    raw = b.message('large', 'x' * 70 + '\r\n')
    raw += b'y' * 70 + b'\r\n'
    raw += (b'z' * 70 + b'\r\n') * (LIMIT // 72)
    code2, text2 = b.refused('alice', raw, ['bob@example.test'])
    check(code2 == 552 and text2.startswith('5.3.4'), 'DATA: %d %s', code2,
          text2)
    imap = b.lab.imap('alice')
    e = b.imap_error(lambda: imap.append('Drafts', raw))
    check(e.status == 'NO' and e.code in ('TOOBIG', 'LIMIT'), 'APPEND: %s', e)
    imap.logout()
    b.logged('account=alice', 'larger than %d bytes' % LIMIT)
    return 'MAIL: %d %s; DATA: %d %s; APPEND: NO %s' % (
        code, text.decode(), code2, text2, e.text)


def step_malformed_mail_out(b):
    code, text = b.refused('alice', b.message('nul', 'a\0b\r\n'),
                           ['bob@example.test'])
    check(500 <= code < 600 and text.startswith('5.6.0'), 'NUL: %d %s', code,
          text)
    code2, text2 = b.refused('alice', b'this is no header\r\n\r\nText\r\n',
                             ['bob@example.test'])
    check(500 <= code2 < 600, 'no header: %d %s', code2, text2)
    code3, text3 = b.refused(
        'alice', b.message('from', sender='mallory@example.net'),
        ['bob@example.test'])
    check(code3 == 550 and text3.startswith('5.7.1'), 'From: %d %s', code3,
          text3)
    b.logged('account=alice', 'NUL')
    return 'NUL: %d %s; no header: %d %s; foreign From: %d %s' % (
        code, text, code2, text2, code3, text3)


def step_malformed_mail_in(b):
    odd = [b'', b'\r\n', b'\0\0\0', b'\r\n\r\n\r\n', b'X-Test-Id: nothing',
           b':\r\n:\r\n\r\n', b'\xff\xfe' * 4000,
           b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n--\r\n',
           b'Content-Type: multipart/signed; protocol="application/'
           b'pkcs7-signature"; boundary=x\r\n\r\n--x\r\n\r\n--x\r\nContent-'
           b'Type: application/pkcs7-signature\r\n\r\nAAAA\r\n--x--\r\n',
           b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data'
           b'\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n',
           mails.head('deep', NOW, 'deep').encode() + b''.join(
               b'Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n'
               % (n, n) for n in range(300))]
    imap = b.lab.imap('bob', 'INBOX')
    before = set(imap.search('ALL'))
    for raw in odd:
        b.server.inject('bob', raw or b'\n')

    def come():
        imap.command('NOOP')
        got = set(imap.search('ALL')) - before
        return got if len(got) >= len(odd) else None
    new = b.lab.wait_for(come, 30, 'the odd mails at the reader', 0.3)
    same(len(new), len(odd), 'new messages')
    got = imap.uid_fetch(','.join(map(str, sorted(new))),
                         '(UID ENVELOPE BODYSTRUCTURE RFC822.SIZE '
                         'BODY.PEEK[])')
    same(len(got), len(odd), 'messages fetched')
    for uid, d in got.items():
        same(len(d['BODY[]']), d['RFC822.SIZE'], 'size of %d' % uid)
        check(d['BODY[]'].startswith(b'Authentication-Results:'),
              'no verdict on top of %r', d['BODY[]'][:99])
    imap.logout()
    return '%d broken mails: each with ENVELOPE, BODYSTRUCTURE, true size ' \
           'and verdict' % len(odd)


# ---- the server ----

def step_corrupt_wbxml(b):
    for do in ('corrupt', 'truncate'):
        since = len(b.lab.daemon.text())
        b.server.mischief(do, 'Sync', 'bob', 1)
        raw = mails.head('after-' + do, NOW, do).encode() + b'\r\nx\r\n'
        b.server.inject('bob', raw)
        imap = b.lab.imap('bob', 'INBOX')
        b.lab.wait_for(lambda: (imap.command('NOOP'), imap.search(
            'HEADER X-Test-Id after-' + do))[1], 60,
            'the mail behind a %s answer' % do, 0.5)
        imap.logout()
        check('account=bob' in b.lab.daemon.text()[since:], 'log')
        line = until(lambda: [x for x in b.lab.daemon.text()[
            since:].splitlines() if 'account=bob' in x
            and ('WBXML' in x or 'wbxml' in x)], 5)
        check(line, 'the log does not name WBXML after %s', do)
    b.server.mischief_clear()
    return 'corrupt and truncated answers of Sync: asked again, mail comes; ' \
           'log: %s' % line[0][-120:]


def step_server_away(b):
    b.server.stop()
    imap = b.lab.imap('bob', 'INBOX')
    uid = max(imap.search('ALL'))
    check(imap.body(uid), 'what is here is not shown')
    b.state('bob', lambda a: a['state'] == 'backoff', 40)
    b.logged('account=bob', 'again in')
    imap.store(uid, '+', ['\\Flagged'])
    imap.logout()
    answer = b.lab.submit('alice', b.message('away'), ['bob@example.test'])
    check('queued as' in answer, 'the answer: %s', answer)
    b.serves_on()
    b.server.start()
    item = b.lab.wait_for(lambda: [
        i for i in b.server.items('bob')
        if i.header('Message-ID') == '<away@client.example.test>'], 60,
        'the queued mail')
    same(len(item), 1, 'copies')
    b.lab.wait_for(lambda: [i for i in b.server.items('bob')
                            if '\\Flagged' in i.flags], 60,
                   'the flag set meanwhile')
    return 'reading goes on, STORE and submission wait (%s) and arrive' \
        % answer


def step_expired_certificate_of_the_server(b):
    d = b.lab.dir
    cert, key = os.path.join(d, 'old.crt'), os.path.join(d, 'old.key')
    csr = os.path.join(d, 'old.csr')
    ext = os.path.join(d, 'old.ext')
    with open(ext, 'w') as f:
        f.write('subjectAltName=IP:127.0.0.1,DNS:localhost\n')
    def run(*args):
        subprocess.run(['openssl'] + list(args), check=True,
                       capture_output=True)
    run('req', '-new', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', csr,
        '-subj', '/CN=127.0.0.1')
    # Trusted by the account, but over for years.
    os.makedirs(os.path.join(d, 'ca/new'))
    open(os.path.join(d, 'ca/index'), 'w').close()
    with open(os.path.join(d, 'ca/conf'), 'w') as f:
        f.write('[ca]\ndefault_ca=x\n[x]\ndatabase=%s/ca/index\n'
                'new_certs_dir=%s/ca/new\nrand_serial=yes\n'
                'default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n'
                % (d, d))
    run('ca', '-config', os.path.join(d, 'ca/conf'), '-selfsign', '-keyfile',
        key, '-in', csr, '-out', cert, '-batch', '-notext', '-startdate',
        '20200101000000Z', '-enddate', '20200201000000Z', '-extfile', ext)
    old = Sandbox(b.lab, None, 'oldserver')
    old.tls = ['--cert', cert, '--key', key]
    old.add_user('dave')
    old.start()
    try:
        b.lab.ctl('account', 'add', 'dave', '--address', 'dave@example.test',
                  '--server', old.url, '--ca-file', cert, '--password-stdin',
                  stdin=old.password('dave') + '\n')
        a = b.state('dave', lambda a: 'expired' in str(a['error']), 40)
        line = b.logged('account=dave', 'expired')
        same([r for r in old.log() if r.get('user')], [],
             'requests that got through')
    finally:
        old.stop()
    return 'nothing was sent; status: %s; log: %s' % (a['error'],
                                                      line[-100:])


def step_expired_certificate_of_a_recipient(b):
    b.server.publish('erin', [b.lab.pki.pem('erin-expired')])
    raw = b.message('erin', to='erin@example.test',
                    extra='X-Sealpost: encrypt=yes\r\n')
    code, text = b.refused('alice', raw, ['erin@example.test'])
    check(code in (550, 554) and text.startswith('5.7.5'), '%d %s', code,
          text)
    check('erin@example.test' in text and 'expired' in text, 'reason: %s',
          text)
    b.logged('account=alice', 'erin@example.test')
    same([i for i in b.server.items('alice', 'Sent')
          if i.header('Message-ID') == '<erin@client.example.test>'], [],
         'mails sent')
    return '%d %s' % (code, text)


# ---- this machine ----

def step_port_taken(b):
    host, port = b.lab.address('imap')
    conf = os.path.join(b.lab.dir, 'second.conf')
    with open(b.lab.conf) as f:
        text = f.read()
    text = text.split('account ', 1)[0]
    text = text.replace("listen_imap = {'127.0.0.1:0'}",
                        "listen_imap = {'%s:%d'}" % (host, port))
    text = text.replace('/state', '/state2').replace('/control', '/control2')
    text = text.replace('machine.key', 'machine2.key')
    with open(conf, 'w') as f:
        f.write(text)
    p = subprocess.run([proc.program('sealpostd'), '-c', conf],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=20)
    same(p.returncode, 1, 'exit status')
    said = [x for x in p.stderr.decode().splitlines() if str(port) in x]
    same(len(said), 1, 'lines that name the port')
    check(host in said[0] and 'taken' in said[0], '%s', said[0])
    # A second one on the same state says so as well.
    p = subprocess.run([proc.program('sealpostd'), '-c', b.lab.conf],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=20)
    same(p.returncode, 1, 'exit status of a second daemon')
    return said[0]


def step_full_disk(b):
    """A daemon of its own, whose state lies on a small tmpfs."""
    if os.getuid():
        raise Skip('mounting a tmpfs needs root')
    with Lab('full', 'sandbox:16.1') as lab:
        state = os.path.join(lab.dir, 'state')
        os.mkdir(state)
        p = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=40m,mode=700',
                            'tmpfs', state], capture_output=True)
        if p.returncode:
            raise Skip('no tmpfs can be mounted here: %s'
                       % p.stderr.decode().strip())
        try:
            return _full_disk(b, lab, state)
        except BaseException:
            lab.failed = True
            raise
        finally:
            if lab.daemon and lab.daemon.alive():
                lab.daemon.stop()
            subprocess.run(['umount', '-l', state])


def _fill(path):
    """All that is left, to the last page."""
    with open(path, 'wb', 0) as f:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    f.write(b'\0' * size)
            except OSError:
                pass


def _full_disk(b, lab, state):
    for user in ('alice', 'bob'):
        lab.server.add_user(user)
    m = [mails.Mail('full%d' % n, 'plain', mails.plain(
        'full%d' % n, NOW, __import__('random').Random(n)), NOW)
        for n in range(5)]
    lab.server.put('bob', m)
    lab.server.start()
    lab.add_account('alice', keys=[])
    lab.add_account('bob', keys=[])
    lab.start()
    imap = lab.imap('bob', 'INBOX')
    before = imap.all('(UID FLAGS BODY.PEEK[])')
    lab.wait_for(lambda: lab.is_settled('bob') and lab.is_settled('alice'),
                 20, 'rest')
    filler = os.path.join(state, 'filler')
    _fill(filler)
    uid = max(before)
    e = None
    for _ in range(200):  # until the reserve is used up
        _fill(filler + str(_ % 50))
        try:
            imap.store(uid, '+', ['\\Seen', 'K%d' % _])
        except ImapError as x:
            e = x
            break
    check(e and e.status == 'NO' and e.code == 'UNAVAILABLE', 'STORE: %s', e)
    raw = b.message('full', 'x' * 70 + '\r\n' * 20)
    raw += (b'z' * 70 + b'\r\n') * 1000
    code = text = None
    _fill(filler + '-more')
    try:
        lab.submit('alice', raw, ['bob@example.test'])
    except smtplib.SMTPDataError as x:
        code, text = x.smtp_code, x.smtp_error.decode()
    except smtplib.SMTPSenderRefused as x:
        code, text = x.smtp_code, x.smtp_error.decode()
    check(code == 452 and text.startswith('4.3.1'), 'SMTP: %s %s', code, text)
    line = lab.log_has(['disk'], 5) or lab.log_has(['space'], 1)
    check(line, 'the log does not say it')
    lab.server.inject('bob', mails.head('late', NOW, 'late').encode()
                      + b'\r\nLate.\r\n')
    time.sleep(1)
    check(lab.daemon.alive(), 'the daemon ended')
    imap.command('NOOP')
    for name in os.listdir(state):
        if name.startswith('filler'):
            os.unlink(os.path.join(state, name))
    lab.wait_for(lambda: (imap.command('NOOP'), imap.search(
        'HEADER X-Test-Id late'))[1], 60, 'the mail that waited', 0.5)
    imap.store(uid, '+', ['\\Seen'])
    after = imap.all('(UID FLAGS BODY.PEEK[])')
    for u, d in before.items():
        same(after[u]['BODY[]'], d['BODY[]'], 'the bytes of UID %d' % u)
    lab.submit('alice', raw, ['bob@example.test'])
    same(len([i for i in lab.server.items('bob')
              if i.header('Message-ID') == '<full@client.example.test>']), 1,
         'copies of the mail')
    imap.logout()
    return 'STORE: NO %s; SMTP: %d %s; with space again all goes on; log: ' \
           '%s' % (e.text, code, text, line[-100:])


STEPS = [
    step_wrong_local_password, step_wrong_upstream_password,
    step_unknown_folder, step_oversize_message, step_malformed_mail_out,
    step_malformed_mail_in, step_corrupt_wbxml,
    step_expired_certificate_of_a_recipient,
    step_expired_certificate_of_the_server, step_server_away,
    step_port_taken, step_full_disk,
]


def serving(step):
    def run(b):
        told = step(b)
        b.serves_on()
        return told
    run.__name__ = step.__name__
    return run


def main():
    tap = Tap('bad input')
    wanted = sys.argv[1:]
    steps = [serving(s) for s in STEPS
             if not wanted or any(w in s.__name__ for w in wanted)]
    with Lab('bad', 'sandbox:16.1', 'max_message_size = %d\n' % LIMIT) as lab:
        for user in ('alice', 'bob', 'carol'):
            lab.server.add_user(user)
            lab.server.put(user, [mails.Mail('old-' + user, 'plain',
                                             mails.head('old-' + user, NOW,
                                                        'Old').encode()
                                             + b'\r\nOld.\r\n', NOW)])
        lab.server.start()
        for user in ('alice', 'bob', 'carol'):
            lab.add_account(user, keys=None if user == 'alice' else [])
        lab.start()
        tap.run(steps, Bad(lab))
        lab.failed |= tap.failed > 0
        status = tap.end()
    return status


if __name__ == '__main__':
    sys.exit(main())
