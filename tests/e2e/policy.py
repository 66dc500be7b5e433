#!/usr/bin/python3
"""What the server's policy keeps out does not come in; out of office is set.

    policy.py [16.1 | 16.0 | 14.1 | 14.0]

The sandbox notes a fetch of what its policy forbids as a violation of the
protocol, which fails the test at its end (lab.py).
"""
import base64
import email
import email.policy
import sys

from lab import CtlError, Lab
from tap import Tap, check, same

POLICY = '''<provision:EASProvisionDoc>
<provision:DevicePasswordEnabled>0</provision:DevicePasswordEnabled>
<provision:AttachmentsEnabled>%d</provision:AttachmentsEnabled>
<provision:RequireManualSyncWhenRoaming>1</provision:RequireManualSyncWhenRoaming>
<provision:MaxAttachmentSize>%s</provision:MaxAttachmentSize>
<provision:MaxEmailBodyTruncationSize>%s</provision:MaxEmailBodyTruncationSize>
<provision:MaxEmailHTMLBodyTruncationSize>%s</provision:MaxEmailHTMLBodyTruncationSize>
</provision:EASProvisionDoc>'''
SECRET = b'only in the attachment ' * 400


def mail(ident, text, kind='plain', files=()):
    head = ('From: Bob <bob@example.test>\r\nTo: alice@example.test\r\n'
            'Subject: mail %s\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n'
            'Message-ID: <%s@policy.example.test>\r\nMIME-Version: 1.0\r\n'
            % (ident, ident))
    body = 'Content-Type: text/%s; charset=utf-8\r\n\r\n%s\r\n' % (kind, text)
    if not files:
        return (head + body).encode()
    out = head + 'Content-Type: multipart/mixed; boundary=b1\r\n\r\n'
    out += '--b1\r\n' + body
    for name, data in files:
        out += ('--b1\r\nContent-Type: application/octet-stream\r\n'
                'Content-Disposition: attachment; filename="%s"\r\n'
                'Content-Transfer-Encoding: base64\r\n\r\n%s' % (
                    name, base64.encodebytes(data).decode().replace(
                        '\n', '\r\n')))
    return (out + '--b1--\r\n').encode()


class Box:
    def __init__(self, lab, version):
        self.lab = lab
        self.version = version
        self.serial = 0
        self.seen = {}

    def policy(self, attachments=1, size='', text='-1', html='-1'):
        self.lab.server.policy(POLICY % (attachments, size, text, html),
                               'alice')
        self.lab.wait_for(lambda: self.is_known(str(attachments), size, text),
                          20, 'the policy is known')

    def is_known(self, attachments, size, text):
        told = {e['name']: e['value'] for e in self.entries()}
        return (told.get('AttachmentsEnabled') == attachments and
                told.get('MaxAttachmentSize') == size and
                told.get('MaxEmailBodyTruncationSize') == text)

    def entries(self):
        try:
            self.lab.ctl('oof', 'alice')  # a request, so that it is noticed
            return self.lab.ctl('policy', 'alice')
        except CtlError:
            return []

    def came(self, text, kind='plain', files=(), raw=None):
        """A mail comes; the bytes that the reader is given."""
        self.serial += 1
        ident = 'n%d' % self.serial
        raw = raw or mail(ident, text, kind, files)
        subject = email.message_from_bytes(raw)['Subject']
        self.lab.server.inject('alice', raw)
        imap = self.lab.imap('alice', 'INBOX')

        def look():
            imap.command('NOOP')
            return imap.search('SUBJECT "%s"' % subject)
        uid = self.lab.wait_for(look, 20, ident)[0]
        got = imap.body(uid)
        imap.logout()
        self.seen[uid] = got
        return raw, got


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def texts(raw):
    return [p.get_content() for p in parsed(raw).walk()
            if p.get_content_maintype() == 'text']


def step_nothing_withheld(b):
    b.policy()
    raw, got = b.came('plain', files=[('a.bin', SECRET)])
    check(got.endswith(raw.split(b'\r\n\r\n', 1)[1]), 'not the same body')
    check(b'X-Sealpost-Withheld' not in got, 'says it is withheld')
    roams = [e for e in b.entries()
             if e['name'] == 'RequireManualSyncWhenRoaming'][0]
    check('ignored' in roams['how'], 'roaming: %r', roams)
    return 'every byte; roaming is named as ignored'


def step_no_attachments(b):
    b.policy(attachments=0)
    _, got = b.came('read me', files=[('secret.bin', SECRET),
                                      ('x\ty.pdf', b'small')])
    told = parsed(got)
    same(told['X-Sealpost-Withheld'], 'attachments', 'field')
    same(told['From'], 'Bob <bob@example.test>', 'From')
    text = '\n'.join(texts(got))
    check('read me' in text and 'secret.bin' in text, 'text: %r', text)
    check(base64.b64encode(SECRET)[:60] not in got, 'the attachment is in it')
    raw, plain = b.came('without any')
    check(plain.endswith(raw.split(b'\r\n\r\n', 1)[1]), 'plain mail differs')
    check(b'<n' in plain and b'@policy.example.test>' in plain, 'Message-ID')
    return 'text and a note; mail without attachments comes whole'


def step_html(b):
    _, got = b.came('<p>r\u00e9ad <b>me</b></p>', 'html', [('h.bin', SECRET)])
    told = parsed(got)
    same(told.get_content_type(), 'multipart/mixed', 'type')
    same([p.get_content_type() for p in told.iter_parts()],
         ['text/html', 'text/plain'], 'parts')
    check('r\u00e9ad <b>me</b>' in texts(got)[0], 'HTML: %r', texts(got)[0])
    check('h.bin' in texts(got)[1], 'note: %r', texts(got)[1])
    return 'HTML stays HTML, the note is a part of its own'


def step_smime_whole(b):
    head, entity = mail('inner', 'signed text', files=[
        ('s.bin', SECRET)]).split(b'Content-Type', 1)
    sealed = head.replace(b'MIME-Version: 1.0\r\n', b'') + b.lab.pki.sign(
        'bob-sign', b'Content-Type' + entity)
    raw, got = b.came('', raw=sealed)
    check(got.endswith(raw.split(b'\r\n\r\n', 1)[1]), 'not byte for byte')
    check(b'smime=pass' in got.split(b'\r\n\r\n', 1)[0], 'no good signature')
    return 'a signed mail with an attachment, byte for byte, smime=pass'


def step_large_attachments(b):
    b.policy(size='5000')
    _, got = b.came('two files', files=[('small.bin', b'x' * 1000),
                                        ('large.bin', SECRET)])
    check('large.bin' in texts(got)[-1], 'note: %r', texts(got))
    raw, got = b.came('one', files=[('small.bin', b'x' * 1000)])
    check(got.endswith(raw.split(b'\r\n\r\n', 1)[1]), 'a small one differs')
    return 'over 5000 bytes is withheld, under it comes whole'


def step_long_text(b):
    b.policy(text='2')
    _, got = b.came('line of text\r\n' * 1000)
    told = parsed(got)
    same(told['X-Sealpost-Withheld'], 'text', 'field')
    text = texts(got)[0]
    check('was cut by the server' in text, 'it does not say so: %r',
          text[-300:])
    check(1900 < text.count('line of text') * 14 < 2100, 'length %d',
          len(text))
    raw, got = b.came('short')
    check(got.endswith(raw.split(b'\r\n\r\n', 1)[1]), 'a short one differs')
    raw, got = b.came('<p>' + 'long ' * 2000 + '</p>', 'html')
    check(got.endswith(raw.split(b'\r\n\r\n', 1)[1]), 'HTML has no limit here')
    return '2 KB of 13, and it says so; short text and HTML come whole'


def step_header_only(b):
    b.policy(text='0', html='0')
    _, got = b.came('not a word of this')
    check(b'not a word' not in got, 'text came')
    check(b'was cut by the server' in got, 'it does not say so')
    _, got = b.came('<p>nor of this</p>', 'html')
    check(b'nor of this' not in got, 'HTML came')
    return '0: header and note'


def step_the_same_bytes(b):
    b.policy()
    imap = b.lab.imap('alice', 'INBOX')
    for uid, was in b.seen.items():
        same(imap.body(uid), was, 'bytes of UID %d' % uid)
    imap.logout()
    b.lab.restart()
    imap = b.lab.imap('alice', 'INBOX')
    for uid, was in b.seen.items():
        same(imap.body(uid), was, 'bytes of UID %d after a restart' % uid)
    imap.logout()
    return 'the limits went, %d messages stay as they were' % len(b.seen)


# ---- out of office

def oof(b, *args):
    return b.lab.ctl('oof', 'alice', *args)


def step_oof_on(b):
    same(oof(b)['state'], 'off', 'at first')
    told = oof(b, 'set', '--on', '--text', 'away', '--external', 'gone',
               '--outside', 'contacts')
    for o in (told, oof(b, 'get')):
        same((o['state'], o['internal']['text'].strip()), ('on', 'away'), 'on')
        same((o['contacts']['enabled'], o['others']['enabled']), (True, False),
             'outside')
        same(o['contacts']['text'].strip(), 'gone', 'external text')
    return 'on, with a text for each'


def step_oof_timed(b):
    oof(b, 'set', '--from', '2027-01-04T08:00:00Z', '--until',
        '2027-01-11T08:00:00Z', '--outside', 'nobody')
    o = oof(b)
    same((o['state'], o['start'], o['end']),
         ('timed', 1799049600, 1799654400), 'timed')
    same((o['internal']['text'].strip(), o['contacts']['enabled'],
          o['others']['enabled']), ('away', False, False), 'texts and people')
    try:
        oof(b, 'set', '--from', '2027-01-11T08:00:00Z', '--until',
            '2027-01-04T08:00:00Z')
        raise AssertionError('an absence that ends before it begins')
    except CtlError as e:
        check('before it begins' in e.text, 'said %s', e.text)
    b.lab.restart()
    same(oof(b)['state'], 'timed', 'after a restart')
    oof(b, 'set', '--off')
    same(oof(b)['state'], 'off', 'off')
    return 'from, until, off; the wrong way round is refused'


STEPS = (step_nothing_withheld, step_no_attachments, step_html,
         step_smime_whole, step_large_attachments, step_long_text,
         step_header_only, step_the_same_bytes, step_oof_on, step_oof_timed)


def main(argv):
    version = argv[0] if argv else '16.1'
    tap = Tap('policy and out of office at %s' % version)
    with Lab('policy', 'sandbox:' + version) as lab:
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
