#!/usr/bin/python3
"""Makes the corpora of the fuzz targets that read a server's answers: a
sandbox is asked what Sealpost asks, with mail made here.

    builddir=build tests/fuzz/capture.py

Only after a change of the protocol; the files are part of the tree.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
os.environ.setdefault('srcdir', os.path.join(HERE, '..', '..'))
sys.path.insert(0, os.path.join(HERE, '..', 'lab'))
from easclient import Sandbox  # noqa: E402

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


if __name__ == '__main__':
    main()
