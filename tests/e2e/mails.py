"""Mails of every shape for the first sync, always the same ones.

Each carries X-Test-Id, so that it is found again on both sides, and says what
a reader has to get: the very bytes, or what was inside.
"""
import base64
import datetime
import quopri
import random

EPOCH = datetime.datetime(2024, 3, 1, 8, 0, 0, tzinfo=datetime.timezone.utc)


class Mail:
    """raw: CRLF bytes as the server has them. verdict: the smime= result that
    a reader must see. inside: bytes that only the opened message shows.
    odd: servers that rebuild MIME may alter it."""

    def __init__(self, ident, shape, raw, date, flags=(), verdict='none',
                 inside=None, odd=False):
        self.ident = ident
        self.shape = shape
        self.raw = raw
        self.date = date
        self.flags = set(flags)
        self.verdict = verdict
        self.inside = inside
        self.odd = odd


def rfc_date(when):
    return when.strftime('%a, %d %b %Y %H:%M:%S +0000')


def head(ident, when, subject=None, sender='carol@example.test',
         to='bob@example.test', extra=''):
    lines = ['Return-Path: <%s>' % sender,
             'Received: from relay.example.net by mx.example.test; %s'
             % rfc_date(when),
             'From: Carol Example <%s>' % sender,
             'To: %s' % to,
             'Date: %s' % rfc_date(when),
             'Message-ID: <%s@shapes.example.test>' % ident,
             'X-Test-Id: %s' % ident]
    if subject is not None:
        lines.append('Subject: %s' % subject)
    return '\r\n'.join(lines) + '\r\n' + extra


def text_part(body, ctype='text/plain; charset=utf-8', cte='7bit', extra=''):
    return ('Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n%s\r\n'
            % (ctype, cte, extra)).encode() + body


def multipart(kind, parts, boundary, preamble=b'', close=True, params=''):
    out = ('MIME-Version: 1.0\r\nContent-Type: multipart/%s;\r\n'
           '\tboundary="%s"%s\r\n\r\n' % (kind, boundary, params)).encode()
    out += preamble
    for p in parts:
        out += b'--' + boundary.encode() + b'\r\n' + p
        if not p.endswith(b'\r\n'):
            out += b'\r\n'
    if close:
        out += b'--' + boundary.encode() + b'--\r\n'
    return out


def crlf(text):
    return text.replace('\r\n', '\n').replace('\n', '\r\n').encode()


def b64(data):
    return base64.encodebytes(data).replace(b'\n', b'\r\n')


def qp(data):
    return quopri.encodestring(data).replace(b'\n', b'\r\n')


# ---- shapes: (ident, when, rng) -> the whole message ----

def plain(i, w, r):
    words = 'the quick brown fox jumps over a lazy dog and sleeps'.split()
    body = '\n'.join(' '.join(r.choice(words) for _ in range(9))
                     for _ in range(r.randint(3, 30))) + '\n'
    return (head(i, w, 'Plain mail %s' % i) + '\r\n').encode() + crlf(body)


def mime_plain(i, w, r):
    return head(i, w, 'With a charset').encode() + b'MIME-Version: 1.0\r\n' \
        + text_part(b'Nothing but ASCII.\r\n')


def utf8_qp(i, w, r):
    return head(i, w, '=?utf-8?Q?Gr=C3=BC=C3=9Fe?=').encode() \
        + b'MIME-Version: 1.0\r\n' \
        + text_part(qp('Grüße aus Köln, 12 € für Ärger.\n'.encode()),
                    cte='quoted-printable')


def utf8_base64(i, w, r):
    return head(i, w, '=?utf-8?B?%s?=' % base64.b64encode(
        'Привет, мир'.encode()).decode()).encode() \
        + b'MIME-Version: 1.0\r\n' \
        + text_part(b64('Привет, мир.\n'.encode() * 20), cte='base64')


def utf8_8bit(i, w, r):
    return head(i, w, 'eight bits').encode() + b'MIME-Version: 1.0\r\n' \
        + text_part('Häuser, Bäume, 猫.\r\n'.encode(), cte='8bit')


def latin1_qp(i, w, r):
    return head(i, w, '=?iso-8859-1?Q?Caf=E9?=').encode() \
        + b'MIME-Version: 1.0\r\n' \
        + text_part(qp('Un café crème.\n'.encode('latin-1')),
                    'text/plain; charset=iso-8859-1', 'quoted-printable')


def latin1_8bit(i, w, r):
    return head(i, w, 'Latin-1, raw').encode() + b'MIME-Version: 1.0\r\n' \
        + text_part('Un café crème.\r\n'.encode('latin-1'),
                    'text/plain; charset=iso-8859-1', '8bit')


def iso2022jp(i, w, r):
    subject = base64.b64encode('テスト'.encode('iso-2022-jp')).decode()
    return head(i, w, '=?ISO-2022-JP?B?%s?=' % subject).encode() \
        + b'MIME-Version: 1.0\r\n' \
        + text_part('これはテストです。\r\n'.encode('iso-2022-jp'),
                    'text/plain; charset=ISO-2022-JP')


def koi8(i, w, r):
    return head(i, w, '=?koi8-r?B?%s?=' % base64.b64encode(
        'Тема'.encode('koi8-r')).decode()).encode() \
        + b'MIME-Version: 1.0\r\n' \
        + text_part(b64('Текст письма\n'.encode('koi8-r')),
                    'text/plain; charset=koi8-r', 'base64')


def raw_headers(i, w, r):
    return head(i, w, 'Größe ungekodet').encode() \
        + b'\r\nHeader bytes that no RFC allows.\r\n'


def split_words(i, w, r):
    data = base64.b64encode('日本語'.encode()).decode()
    return head(i, w, '=?utf-8?B?%s?=\r\n =?utf-8?B?%s?=\r\n\tend'
                % (data, data)).encode() + b'\r\nFolded words.\r\n'


def empty_body(i, w, r):
    return (head(i, w, 'Nothing inside') + '\r\n').encode()


def no_subject(i, w, r):
    return (head(i, w) + '\r\n').encode() + b'No subject at all.\r\n'


def no_blank_line(i, w, r):
    return head(i, w, 'Only a header').encode()


def alternative(i, w, r):
    return head(i, w, 'Two ways to read').encode() + multipart(
        'alternative',
        [text_part(b'Plain.\r\n'),
         text_part(qp('<p>Ge<b>mütlich</b></p>\n'.encode()),
                   'text/html; charset=utf-8', 'quoted-printable')],
        '=_alt_%s' % i)


def html_only(i, w, r):
    return head(i, w, 'HTML').encode() + b'MIME-Version: 1.0\r\n' \
        + text_part(b'<html><body><p>One &amp; only</p></body></html>\r\n',
                    'text/html; charset=us-ascii')


def attachment(i, w, r):
    data = bytes(r.getrandbits(8) for _ in range(r.randint(2000, 9000)))
    return head(i, w, 'With a file').encode() + multipart(
        'mixed',
        [text_part(b'See the file.\r\n'),
         text_part(b64(data), 'application/octet-stream;\r\n'
                   '\tname="data.bin"', 'base64',
                   'Content-Disposition: attachment;'
                   ' filename="data.bin"\r\n')],
        'mix-%s' % i, b'This is MIME.\r\n')


def rfc2231(i, w, r):
    return head(i, w, 'Names of files').encode() + multipart(
        'mixed',
        [text_part(b'One.\r\n'),
         text_part(b64(b'%PDF-1.4 not really\n'), 'application/pdf',
                   'base64', 'Content-Disposition: attachment;\r\n'
                   "\tfilename*0*=UTF-8''%C3%9Cber;\r\n"
                   '\tfilename*1*=sicht%20;\r\n\tfilename*2="2024.pdf"\r\n')],
        'rfc2231=%s' % i)


def nested(i, w, r):
    part = text_part(b'The innermost.\r\n')
    for depth in range(12):
        part = multipart('mixed', [part, text_part(b'Level.\r\n')],
                         'deep-%d-%s' % (depth, i)).replace(
                             b'MIME-Version: 1.0\r\n', b'', 1)
    return head(i, w, 'Nested').encode() + b'MIME-Version: 1.0\r\n' + part


def rfc822_inside(i, w, r):
    inner = plain('inner-' + i, w, r).replace(b'X-Test-Id', b'X-Inner-Id')
    return head(i, w, 'Fwd: a mail').encode() + multipart(
        'mixed', [text_part(b'Look:\r\n'),
                  text_part(inner, 'message/rfc822')], 'fwd-%s' % i)


def many_parts(i, w, r):
    return head(i, w, 'A hundred parts').encode() + multipart(
        'digest', [b'\r\n' + plain('part%d-%s' % (n, i), w, r).replace(
            b'X-Test-Id', b'X-Inner-Id') for n in range(100)], 'hundred')


def report(i, w, r):
    return head(i, w, 'Undelivered Mail', 'mailer-daemon@example.test'
                ).encode() + multipart(
        'report',
        [text_part(b'It did not work.\r\n'),
         text_part(b'Reporting-MTA: dns; mx.example.test\r\n\r\n'
                   b'Final-Recipient: rfc822; x@example.net\r\n'
                   b'Action: failed\r\nStatus: 5.1.1\r\n',
                   'message/delivery-status'),
         text_part(b'Subject: Lost\r\n\r\n', 'text/rfc822-headers')],
        'report-%s' % i, params='; report-type=delivery-status')


def invitation(i, w, r):
    return head(i, w, 'Meeting').encode() + multipart(
        'alternative',
        [text_part(b'A meeting.\r\n'),
         text_part(b'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n'
                   b'END:VCALENDAR\r\n',
                   'text/calendar; method=REQUEST; charset=utf-8')],
        'cal-%s' % i)


def unclosed(i, w, r):
    return head(i, w, 'No last boundary').encode() + multipart(
        'mixed', [text_part(b'One.\r\n'), text_part(b'Two.\r\n')],
        'never-%s' % i, close=False)


def no_boundary(i, w, r):
    return head(i, w, 'Boundary that is not there').encode() \
        + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\n' \
        + b'--what\r\n\r\nText.\r\n--what--\r\n'


def wrong_boundary(i, w, r):
    whole = multipart('mixed', [text_part(b'Lost.\r\n')], 'right-%s' % i)
    return head(i, w, 'Another boundary').encode() \
        + whole.replace(b'--right', b'--wrong')


def bad_base64(i, w, r):
    return head(i, w, 'Base64 of a kind').encode() + b'MIME-Version: 1.0\r\n' \
        + text_part(b'!!!! this is not base64 ====\r\nQUJD\r\nQ\r\n',
                    'application/x-thing', 'base64')


def unknown_things(i, w, r):
    return head(i, w, 'Unknown to all').encode() + b'MIME-Version: 1.0\r\n' \
        + text_part(b'Text in no known way.\r\n',
                    'Text/X-Strange; charset=x-martian; ;;=', 'x-uuu')


def broken_header(i, w, r):
    return head(i, w, 'Broken header', extra=(
        'This line has no colon\r\n'
        'Content-Type: text/plain; charset="utf-8\r\n'
        ': no name\r\nX-Odd : blank before the colon\r\n'
    )).encode() + b'\r\nBody.\r\n'


def huge_header(i, w, r):
    lines = ''.join('X-Trace-%04d: %s\r\n' % (n, 'x' * 60)
                    for n in range(800))
    return head(i, w, 'A huge header', extra=lines).encode() + b'\r\nEnd.\r\n'


def many_recipients(i, w, r):
    to = ',\r\n '.join('"Person %d" <p%d@example.net>' % (n, n)
                       for n in range(300))
    return head(i, w, 'To everybody', to=to).encode() + b'\r\nHello all.\r\n'


def odd_addresses(i, w, r):
    text = head(i, w, 'Strange addresses', to='undisclosed-recipients:;',
                extra='Cc: Group: a@example.net, "B, C" <b@example.net>;,\r\n'
                ' (comment) d@example.net (Dee), <broken@, @x, "\r\n')
    return text.encode() + b'\r\nWho is who?\r\n'


def long_lines(i, w, r):
    return head(i, w, 'Long lines').encode() + b'\r\n' \
        + b'a' * 5000 + b'\r\n' + b'b' * 20000 + b'\r\n'


def dots_and_from(i, w, r):
    return head(i, w, 'Dots').encode() \
        + b'\r\n.\r\n..\r\n...x\r\nFrom here\r\n>From there\r\n \r\n\t\r\n'


def no_last_newline(i, w, r):
    return head(i, w, 'No line end at the end').encode() \
        + b'\r\nThe last line stops'


def flowed(i, w, r):
    return head(i, w, 'Flowed').encode() + b'MIME-Version: 1.0\r\n' \
        + text_part(b'> a quoted \r\n> line and \r\n> its end\r\n-- \r\nSig\r\n',
                    'text/plain; charset=utf-8; format=flowed; delsp=yes')


def big(i, w, r):
    return head(i, w, 'Big').encode() + multipart(
        'mixed', [text_part(b'Large.\r\n'),
                  text_part(b64(r.randbytes(600000)), 'image/jpeg',
                            'base64')], 'big-%s' % i)


def forged_results(i, w, r):
    return (head(i, w, 'I verified myself', extra=(
        'X-Sealpost-SMIME: encrypted=yes; decrypted=yes;\r\n'
        'Authentication-Results: other.example.net; spf=pass\r\n'))
        + '\r\n').encode() + b'Trust me.\r\n'


# Shape, and whether some servers rebuild it (SOGO-NOTES: latin1 as 8bit; raw
# header bytes, mail without a body or without its last line end, and what a
# server that lists by headers cannot parse).
SHAPES = [
    (plain, False), (mime_plain, False), (utf8_qp, False),
    (utf8_base64, False), (utf8_8bit, False), (latin1_qp, False),
    (latin1_8bit, True), (iso2022jp, True), (koi8, False),
    (raw_headers, True), (split_words, False), (empty_body, True),
    (no_subject, False), (no_blank_line, True), (alternative, False),
    (html_only, False), (attachment, False), (rfc2231, False),
    (nested, False), (rfc822_inside, False), (many_parts, False),
    (report, False), (invitation, False), (unclosed, False),
    (no_boundary, True), (wrong_boundary, False), (bad_base64, False),
    (unknown_things, True), (broken_header, True), (huge_header, False),
    (many_recipients, False), (odd_addresses, True), (long_lines, False),
    (dots_and_from, False), (no_last_newline, True), (flowed, False),
    (forged_results, False),
]


def smime_mails(pki, start):
    """Signed, encrypted, both, and false ones, to bob."""
    text = text_part('Straße, sealed.\r\n'.encode(), cte='8bit')
    secret = b'only for bob'
    entity = text_part(b'This is ' + secret + b'.\r\n')
    signed = pki.sign('alice-sign', text_part(qp('Gruß.\n'.encode()),
                                              cte='quoted-printable'))
    sealed = pki.encrypt(['bob-enc'], entity)
    both = pki.encrypt(['bob-enc'], pki.sign('alice-sign', entity))
    opaque = pki.sign('alice-sign', entity, opaque=True)
    foreign = pki.encrypt(['carol-enc'], entity)
    tampered = pki.sign('alice-sign', text).replace(b'sealed', b'forged')
    rogue = pki.sign('mallory-rogue', text_part(b'I am Alice.\r\n'))
    liar = pki.sign('carol-sign', text_part(b'Not from Alice.\r\n'))
    rows = [
        ('signed', signed, 'pass', None),
        ('sealed', sealed, 'none', secret),
        ('signed and sealed', both, 'pass', secret),
        ('signed opaque', opaque, 'pass', secret),
        ('sealed for another', foreign, None, b'no key that opens'),
        ('tampered', tampered, 'fail', None),
        ('signed by a rogue', rogue, 'policy', None),
        ('signed by another', liar, 'policy', None),
    ]
    out = []
    for n, (shape, body, verdict, inside) in enumerate(rows):
        ident = 'smime%02d' % n
        when = start + datetime.timedelta(minutes=7 * n)
        raw = head(ident, when, shape, 'alice@example.test').encode() + body
        out.append(Mail(ident, shape, raw, when, verdict=verdict,
                        inside=inside, odd=shape == 'tampered'))
    return out


def mailbox(pki, count):
    """`count` mails and a few more; their order is not that of their dates."""
    r = random.Random(1990)
    out = []
    for n in range(count):
        make, odd = SHAPES[n % len(SHAPES)]
        ident = 'm%04d' % n
        # Some in the same second, one from the last century.
        when = EPOCH + datetime.timedelta(minutes=r.randint(0, 400000))
        if n % 50 == 17:
            when = out[-1].date
        if n == 3:
            when = datetime.datetime(1999, 12, 31, 23, 59, 59,
                                     tzinfo=datetime.timezone.utc)
        flags = []
        if n % 3 == 0:
            flags.append('\\Seen')
        if n % 7 == 0:
            flags.append('\\Flagged')
        out.append(Mail(ident, make.__name__, make(ident, when, r), when,
                        flags, odd=odd))
    when = EPOCH + datetime.timedelta(days=100)
    out.append(Mail('big', 'big', big('big', when, r), when))
    # Twins: same date, sender, subject and text, apart from their ids.
    for ident in ('twin1', 'twin2'):
        raw = head(ident, when, 'Twins').encode() + b'\r\nWe are two.\r\n'
        out.append(Mail(ident, 'twin', raw, when))
    out += smime_mails(pki, EPOCH + datetime.timedelta(days=120))
    r.shuffle(out)
    return out
