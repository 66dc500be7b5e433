"""The sandbox as a server: the usual steps of a client, both ways.

Talks to it with the independent WBXML codec of tests/lab.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'lab'))
import tap                                              # noqa: E402
from easclient import Sandbox                           # noqa: E402
from tap import same                                    # noqa: E402

ALICE, BOB = 'alice@example.test', 'bob@example.test'
USERS = {ALICE: 'secret-alice', BOB: 'secret-bob'}
test = tap.Tests()


def mail(subject='Hello', body='Hello.\r\n', to=ALICE):
    return ('From: Bob <%s>\r\nTo: %s\r\nSubject: %s\r\n'
            'Date: Mon, 02 Mar 2026 08:15:30 +0000\r\n'
            'Message-ID: <%s@test>\r\n\r\n%s'
            % (BOB, to, subject, subject.replace(' ', '.'), body)).encode()


def ready(box, user=ALICE, **more):
    """A client that knows its folders."""
    c = box.client(user, **more)
    c.list = c.folders()
    return c


@test
def options_names_versions_and_commands(box):
    said = box.client(ALICE).options()
    same(said['MS-ASProtocolVersions'], '14.0,14.1,16.0,16.1')
    assert 'ItemOperations' in said['MS-ASProtocolCommands'].split(',')


@test
def special_folders_have_their_types(box):
    c = box.client(ALICE)
    root = c.post('FolderSync', '<FolderSync><SyncKey>0</SyncKey></FolderSync>')
    types = {a.value('DisplayName'): a.value('Type')
             for a in root.findall('Changes/Add')}
    same(types, {'Inbox': '2', 'Drafts': '3', 'Deleted Items': '4',
                 'Sent Items': '5'})


@test
def a_listing_comes_in_windows_and_only_once(box):
    c = ready(box, device='LIST1')
    for i in range(7):
        box.inject(ALICE, mail('window %d' % i))
    key = c.prime(c.list['Inbox'])
    first = c.sync(c.list['Inbox'], key, window=3, options=c.LIST)
    same(len(first.findall('Commands/Add')), 3)
    assert first.find('MoreAvailable') is not None
    key, rest = c.all(c.list['Inbox'], first.value('SyncKey'), window=3)
    same(len(rest), 4)
    same(c.sync(c.list['Inbox'], key), None)
    same(c.body, b'')


@test
def mime_is_given_exactly_inline_and_multipart(box):
    c = ready(box)
    raw = mail('exact', 'one\r\ntwo \xc3\xa4\xff\r\n')
    raw = raw.replace(b'one', b'one\xe4\xff')
    item = box.inject(ALICE, raw)
    same(c.fetch(c.list['Inbox'], item), raw)
    same(c.fetch(c.list['Inbox'], item, multipart=True), raw)
    same(len(c.parts), 2)


@test
def mail_is_delivered_by_its_header_and_bcc_is_hidden(box):
    c = ready(box)
    before = set(box.files(BOB)) | set(box.files(ALICE, 'Sent'))
    raw = mail('sent', to='elsewhere@other.test').replace(
        b'Subject:', ('Bcc: %s\r\nSubject:' % BOB).encode())
    same(c.send(raw.replace(BOB.encode() + b'>', ALICE.encode() + b'>'),
                'client-1'), None)
    same(c.body, b'')
    new = {p: open(p, 'rb').read()
           for p in (set(box.files(BOB)) | set(box.files(ALICE, 'Sent')))
           - before}
    theirs = [m for p, m in new.items() if BOB in p]
    ours = [m for p, m in new.items() if 'Sent' in p]
    same((len(theirs), len(ours)), (1, 1))
    assert b'Bcc:' not in theirs[0] and b'Bcc:' in ours[0]
    outside = os.path.join(box.root, 'state/outside/elsewhere@other.test/new')
    same(len(os.listdir(outside)), 1)
    same(c.send(raw, 'client-1'), '118')
    same(len(os.listdir(outside)), 1)


@test
def ping_wakes_for_a_file_dropped_into_new(box):
    import threading
    import time
    c = ready(box, device='PING1')
    key, _ = c.all(c.list['Inbox'])
    answer = []
    xml = ('<Ping><HeartbeatInterval>60</HeartbeatInterval><Folders><Folder>'
           '<Id>%s</Id><Class>Email</Class></Folder></Folders></Ping>'
           % c.list['Inbox'])
    waiting = threading.Thread(target=lambda: answer.append(
        c.post('Ping', xml)))
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive()
    with open(os.path.join(box.root, ALICE, 'INBOX/tmp/dropped'), 'wb') as f:
        f.write(mail('dropped'))
    begun = time.monotonic()
    os.rename(os.path.join(box.root, ALICE, 'INBOX/tmp/dropped'),
              os.path.join(box.root, ALICE, 'INBOX/new/dropped'))
    waiting.join(10)
    same(answer[0].value('Status'), '2')
    same(answer[0].value('Folders/Folder'), c.list['Inbox'])
    assert time.monotonic() - begun < 3
    key, items = c.all(c.list['Inbox'], key)
    same([i.value('email:Subject') for i in items.values()], ['dropped'])


if __name__ == '__main__':
    with Sandbox(USERS) as sandbox:
        failed = test.run(sandbox)
    sys.exit(failed)
