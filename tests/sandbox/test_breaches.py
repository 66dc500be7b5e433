"""What a client does against the rules is answered with the error that Exchange
gives, and stands in GET /violations; what is allowed does not."""
import os
import shutil
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'lab'))
import tap                                              # noqa: E402
from easclient import Client, Sandbox                   # noqa: E402
from tap import same                                    # noqa: E402

ALICE = 'alice@example.test'
USERS = {ALICE: 'secret-alice'}
MAIL = (b'From: b@example.test\r\nTo: alice@example.test\r\nSubject: x\r\n\r\n'
        b'x\r\n')
PING = ('<Ping><HeartbeatInterval>60</HeartbeatInterval><Folders><Folder><Id>%s'
        '</Id><Class>Email</Class></Folder></Folders></Ping>')
test = tap.Tests()


def ready(box, device, **more):
    box.ask('DELETE', '/violations')
    c = box.client(ALICE, device=device, **more)
    c.list = c.folders()
    c.inbox = c.list['Inbox']
    return c


def told(box, *want):
    """Exactly these: (command, part of the reason)."""
    got = [(v['command'], v['why']) for v in box.violations()]
    same(len(got), len(want))
    for (command, why), (wanted, part) in zip(got, want):
        assert command == wanted and part in why, (got, want)


@test
def a_good_client_is_not_named(box):
    c = ready(box, 'GOOD1')
    item = box.inject(ALICE, MAIL)
    key, _ = c.all(c.inbox)
    orders = ('<Change><ServerId>%s</ServerId><ApplicationData><email:Read>1'
              '</email:Read></ApplicationData></Change>' % item)
    # An answer that was lost: the same again.
    for do in ('drop-after', 'cut:3', 'corrupt'):
        box.mischief(do, ALICE, 'Sync')
        try:
            c.sync(c.inbox, key, commands=orders)
        except Exception:
            pass
        key = c.sync(c.inbox, key, commands=orders).value('SyncKey')
    # A server that has lost it all.
    box.mischief('reset-key', ALICE, 'Sync')
    same(c.sync(c.inbox, key).value('Status'), '3')
    c.all(c.inbox)
    assert c.fetch(c.inbox, item)
    same(c.send(MAIL, 'good-1'), None)
    same(c.send(MAIL, 'good-1'), '118')
    same(c.sync('4711', '0').value('Status'), '8')
    told(box)
    same(c.send(MAIL + b'other\r\n', 'good-1'), '118')
    told(box, ('SendMail', 'another message'))


@test
def broken_documents(box):
    c = ready(box, 'BROKEN1')
    c.raw('FolderSync', b'\x03\x01\x6a\x00\xff\xff')
    c.raw('FolderSync', b'')
    c.raw('FolderSync', b'x', {'Content-Type': 'text/xml'})
    same(c.post('FolderSync', '<Ping/>').value('Status'), '103')
    same(c.post('FolderSync', '<FolderSync/>').value('Status'), '10')
    told(box, ('FolderSync', ''), ('FolderSync', 'no body'),
         ('FolderSync', 'text/xml'), ('FolderSync', 'Ping'),
         ('FolderSync', '0 times'))


@test
def order_and_number(box):
    c = ready(box, 'ORDER1')
    root = c.post('Sync', '<Sync><Collections><Collection><CollectionId>%s'
                  '</CollectionId><SyncKey>0</SyncKey></Collection>'
                  '</Collections></Sync>' % c.inbox)
    same(root.value('Status'), '4')
    one = ('<Collection><SyncKey>0</SyncKey><CollectionId>%s</CollectionId>'
           '</Collection>' % c.inbox)
    root = c.post('Sync', '<Sync><Collections>%s%s</Collections></Sync>'
                  % (one, one))
    same(root.value('Status'), '4')
    same(c.sync(c.inbox, '0', get=1).value('Status'), '4')
    key = c.prime(c.inbox)
    root = c.post('Sync', '<Sync><Collections>%s</Collections><Wait>5</Wait>'
                  '<HeartbeatInterval>60</HeartbeatInterval></Sync>'
                  % one.replace('>0<', '>%s<' % key))
    same(root.value('Status'), '4')
    old = box.client(ALICE, device='ORDER1', version='14.0')
    same(old.sync(c.inbox, key, options=(
        '<base:BodyPartPreference><base:Type>2</base:Type>'
        '</base:BodyPartPreference>')).value('Status'), '4')
    told(box, ('Sync', 'out of order'), ('Sync', 'a collection'),
         ('Sync', 'a collection'), ('Sync', 'Wait'),
         ('Sync', 'not in this version'))


@test
def keys_used_again(box):
    c = ready(box, 'KEY1')
    keys = [c.prime(c.inbox)]
    for _ in range(3):
        box.inject(ALICE, MAIL)
        keys.append(c.sync(c.inbox, keys[-1]).value('SyncKey'))
    told(box)
    same(c.sync(c.inbox, keys[-2]).value('Status'), '1')
    told(box)                           # as after a lost answer
    same(c.sync(c.inbox, keys[0]).value('Status'), '3')
    told(box, ('Sync', 'is used again'))
    box.ask('DELETE', '/violations')
    same(c.sync(c.inbox, '4711').value('Status'), '3')
    told(box)                           # a server may have been restored


@test
def two_pings_at_once(box):
    c = ready(box, 'PING1')
    c.all(c.inbox)
    first, second = (box.client(ALICE, device='PING1') for _ in range(2))
    got = []
    waits = threading.Thread(target=lambda: got.append(
        first.post('Ping', PING % c.inbox)))
    waits.start()
    time.sleep(0.3)
    # Broken off and asked anew: that is how it should be.
    first.connection.sock.shutdown(2)
    waits.join(10)
    waits = threading.Thread(target=lambda: got.append(
        second.post('Ping', PING % c.inbox)))
    waits.start()
    time.sleep(0.5)
    told(box)
    box.mischief('delay:1', ALICE, 'Ping')
    third = box.client(ALICE, device='PING1')
    more = threading.Thread(target=lambda: got.append(
        third.post('Ping', PING % c.inbox)))
    more.start()
    waits.join(10)
    same(got[-1].value('Status'), '1')
    told(box, ('Ping', 'another Ping'))
    box.inject(ALICE, MAIL)
    more.join(10)
    same(got[-1].value('Status'), '2')


@test
def what_commands_refuse(box):
    c = ready(box, 'REFUSE1')
    item = box.inject(ALICE, MAIL)
    key, _ = c.all(c.inbox)
    answer = c.sync(c.inbox, key, commands=(
        '<Change><ServerId>%s</ServerId><ApplicationData><email:Subject>y'
        '</email:Subject></ApplicationData></Change>' % item))
    same(answer.value('Responses/Change/Status'), '6')
    same(c.post('ItemOperations', '<ItemOperations/>').value('Status'), '2')
    c.post('ItemOperations', '<ItemOperations><Fetch><Store>Mailbox</Store>'
           '</Fetch></ItemOperations>')
    same(c.post('Provision', '<Provision><Policies><Policy><PolicyType>'
                'MS-EAS-Provisioning-WBXML</PolicyType></Policy></Policies>'
                '</Provision>').value('Status'), '165')
    same(c.post('FolderCreate', '<FolderCreate><SyncKey>%s</SyncKey><ParentId>0'
                '</ParentId><DisplayName>n</DisplayName><Type>2</Type>'
                '</FolderCreate>' % c.folder_key).value('Status'), '10')
    c.device = 'not good'
    c.post('FolderSync', '<FolderSync><SyncKey>0</SyncKey></FolderSync>')
    told(box, ('Sync', 'may not be changed'), ('ItemOperations', 'no'),
         ('ItemOperations', 'names nothing'), ('Provision', 'DeviceInf'),
         ('FolderCreate', 'type'), ('FolderSync', 'DeviceId'))


@test
def they_outlive_the_server(box):
    c = ready(box, 'LIVE1')
    c.post('FolderSync', '<FolderSync/>')
    for kill in (True, False):
        box.stop(kill=kill)
        box.start()
        told(box, ('FolderSync', '0 times'))
    same(box.ask('DELETE', '/violations')[0], 200)
    told(box)


@test
def a_lab_fails_by_them(box):
    """What the end-to-end tests are built on ends with status 1."""
    sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'e2e'))
    from lab import Lab
    for body in (b'', b'\x03\x01\x6a\x00\xff'):
        try:
            with Lab('breach') as lab:
                lab.server.add_user('alice')
                lab.server.start()
                c = Client(lab.server.url, lab.server.ca, ALICE,
                           'secret-alice')
                c.folders()
                if body:
                    c.raw('FolderSync', body)
            failed = False
        except SystemExit:
            failed = True
            shutil.rmtree(lab.dir)
        same(failed, body != b'')


if __name__ == '__main__':
    with Sandbox(USERS) as sandbox:
        failed = test.run(sandbox)
        failed = sandbox.stop() or failed
    sys.exit(failed)
