#!/usr/bin/python3
"""Makes the corpora of the fuzz targets that read a server's answers: a
sandbox is asked what Sealpost asks, with mail made here; so is a SOGo that
tests/lab/sogo-up has started.

    builddir=build tests/fuzz/capture.py
    SOGO_LAB=... SOGO_LAB_BASE=... tests/fuzz/capture.py sogo

Only after a change of the protocol; the files are part of the tree.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
os.environ.setdefault('srcdir', os.path.join(HERE, '..', '..'))
sys.path.insert(0, os.path.join(HERE, '..', 'lab'))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
from easclient import Client, Sandbox  # noqa: E402
from imapwire import Imap  # noqa: E402

ALICE = 'alice@example.test'
MAIL = b'From: bob@example.test\r\nTo: alice@example.test\r\n' \
    b'Subject: %s\r\nDate: Mon, 02 Mar 2026 08:15:30 +0000\r\n\r\n%s\r\n'
FETCH = '<Fetch><Store>Mailbox</Store>' \
    '<airsync:CollectionId>%s</airsync:CollectionId>' \
    '<airsync:ServerId>%s</airsync:ServerId><Options>' \
    '<airsync:MIMESupport>2</airsync:MIMESupport><base:BodyPreference>' \
    '<base:Type>4</base:Type></base:BodyPreference></Options></Fetch>'


def keep(target, name, data):
    where = os.path.join(HERE, 'corpus', target)
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, name), 'wb') as f:
        f.write(data)


def main():
    answers = {}
    with Sandbox({ALICE: 'secret-alice'}) as box:
        c = box.client(ALICE)
        raw = c.raw

        def recorded(command, *args, **more):
            body = raw(command, *args, **more)
            if body and 'multipart' not in c.headers.get('Content-Type', ''):
                answers.setdefault(command, []).append(body)
            return body
        c.raw = recorded
        inbox = c.folders()['Inbox']
        box.inject(ALICE, MAIL % (b'one', b'Text.'))
        box.inject(ALICE, MAIL % ('zw\u00f6lf'.encode(), b'More text.'))
        _, items = c.all(inbox, c.prime(inbox))
        ids = sorted(items)
        ask = '<ItemOperations>%s</ItemOperations>' % ''.join(
            FETCH % (inbox, i) for i in ids + ['9:9'])
        import wbxml
        for form, first in ((None, b'\x07'),
                            ({'MS-ASAcceptMultiPart': 'T'}, b'\x87')):
            body = raw('ItemOperations', wbxml.encode(ask), form)
            for i, known in enumerate((b'5:1', b'5:2')):
                # The ids that the target asks for.
                if len(ids[i]) == 3:
                    body = body.replace(ids[i].encode(), known)
            keep('eas_items', 'multipart' if form else 'inline', first + body)
            if not form:
                answers['ItemOperations'] = [body]
    for command, found in answers.items():
        for i, body in enumerate(found[:3]):
            keep('wbxml_judge', '%s-%d' % (command.lower(), i), body)


def sogo():
    """What a server answers that was written by others: 14.1, no Find."""
    base = int(os.environ.get('SOGO_LAB_BASE', '21000'))
    imap = Imap(('127.0.0.1', base + 143), 60)
    imap.login('alice', 'secret')
    for n, flags in ((1, []), (2, ['\\Seen']), (3, ['\\Flagged'])):
        imap.append('INBOX', MAIL % (b'number %d' % n, b'Text.' * n), flags)
    imap.close()
    c = Client('https://127.0.0.1:%d/Microsoft-Server-ActiveSync'
               % (base + 443),
               os.path.join(os.environ['SOGO_LAB'], 'smime', 'ca.crt'),
               'alice', 'secret', '14.1', device='CAPTURE1')
    number = {}
    raw = c.raw

    def recorded(command, *args, **more):
        body = raw(command, *args, **more)
        if not body:
            return body
        n = number[command] = number.get(command, 0) + 1
        parts = 'multipart' in c.headers.get('Content-Type', '')
        name = 'sogo-%s-%d' % (command.lower(), n)
        if parts:
            keep('eas', name, b'\x80' + body)
        elif n <= 5:
            keep('wbxml_judge', name, body)
            if command == 'Sync':
                keep('eas', name, b'\x07' + body)
        return body
    c.raw = recorded
    folders = c.folders()
    inbox = folders['INBOX']
    _, items = c.all(inbox, window=2)
    first = sorted(items)[0]
    c.fetch(inbox, first)
    c.fetch(inbox, first, True)
    c.fetch(inbox, 'mail-that-never-was')
    c.sync(inbox, 'a key that never was')
    c.post('GetItemEstimate', '<GetItemEstimate><Collections><Collection>'
           '<airsync:SyncKey>0</airsync:SyncKey><CollectionId>%s'
           '</CollectionId></Collection></Collections></GetItemEstimate>'
           % inbox)
    c.post('MoveItems', '<MoveItems><Move><SrcMsgId>%s</SrcMsgId><SrcFldId>%s'
           '</SrcFldId><DstFldId>%s</DstFldId></Move></MoveItems>'
           % (first, inbox, folders['Trash']))
    c.post('ResolveRecipients', '<ResolveRecipients><To>bob</To><Options>'
           '<CertificateRetrieval>2</CertificateRetrieval></Options>'
           '</ResolveRecipients>')
    c.post('Settings', '<Settings><UserInformation><Get/></UserInformation>'
           '</Settings>')
    c.close()


if __name__ == '__main__':
    if sys.argv[1:] == ['sogo']:
        sogo()
    else:
        main()
