"""What the sandbox does wrong on demand, its policy, and what it remembers
over a restart and a kill -9."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'lab'))
import tap                                              # noqa: E402
from easclient import Sandbox                           # noqa: E402
from tap import same                                    # noqa: E402

ALICE, BOB = 'alice@example.test', 'bob@example.test'
USERS = {ALICE: 'secret-alice', BOB: 'secret-bob'}
RAW = (b'From: Bob <bob@example.test>\r\nTo: alice@example.test\r\n'
       b'Subject: x\r\n\r\nx\r\n')
POLICY = ('<provision:EASProvisionDoc><DevicePasswordEnabled>0'
          '</DevicePasswordEnabled><RequireSignedSMIMEMessages>%d'
          '</RequireSignedSMIMEMessages></provision:EASProvisionDoc>')
PROVISION = (
    '<Provision><settings:DeviceInformation><settings:Set><settings:Model>m'
    '</settings:Model></settings:Set></settings:DeviceInformation><Policies>'
    '<Policy><PolicyType>MS-EAS-Provisioning-WBXML</PolicyType></Policy>'
    '</Policies></Provision>')
ACK = ('<Provision><Policies><Policy><PolicyType>MS-EAS-Provisioning-WBXML'
       '</PolicyType><PolicyKey>%s</PolicyKey><Status>%d</Status></Policy>'
       '</Policies></Provision>')
SYNC = '<FolderSync><SyncKey>0</SyncKey></FolderSync>'
test = tap.Tests()


def status(c, xml=SYNC, command='FolderSync'):
    root = c.post(command, xml)
    return c.http, root.value('Status') if root is not None else None


@test
def http_statuses(box):
    c = box.client(ALICE)
    for do, http, header in (
            ('status:401', 401, 'WWW-Authenticate'),
            ('status:403', 403, None), ('449', 449, None),
            ('status:503', 503, None),
            ('retry-after:7', 503, 'Retry-After'),
            ('throttle:7', 503, 'X-MS-ASThrottle'),
            ('451:https://other.test/x', 451, 'X-MS-Location')):
        box.mischief(do, ALICE, 'FolderSync')
        same(status(c), (http, None))
        if header:
            assert header in c.headers, c.headers
    same(status(c), (200, '1'))


@test
def only_for_whom_and_what_and_how_often(box):
    c, other = box.client(ALICE), box.client(BOB)
    box.mischief('status:500', ALICE, 'FolderSync', times=2)
    same(status(other), (200, '1'))
    same(status(c, '<Settings><UserInformation><Get/></UserInformation>'
                   '</Settings>', 'Settings'), (200, '1'))
    same([status(c)[0] for _ in range(3)], [500, 500, 200])
    box.mischief('status:500', '*', '*', times=0)
    same([status(x)[0] for x in (c, other, c)], [500, 500, 500])
    box.ask('DELETE', '/mischief')
    same(status(c), (200, '1'))


@test
def broken_answers(box):
    c = box.client(ALICE)
    for do in ('truncate', 'corrupt'):
        box.mischief(do, ALICE)
        try:
            c.post('FolderSync', SYNC)
            raise AssertionError(do)
        except ValueError:
            same(c.http, 200)
    for do in ('drop-before', 'drop-after', 'cut'):
        box.mischief(do, ALICE)
        try:
            c.post('FolderSync', SYNC)
            raise AssertionError(do)
        except Exception as e:
            assert not isinstance(e, AssertionError), e
    same(status(c), (200, '1'))


@test
def before_or_after_acting(box):
    c = box.client(ALICE)
    for do, count in (('drop-before', 0), ('drop-after', 1)):
        before = len(box.files(ALICE, 'Sent'))
        box.mischief(do, ALICE, 'SendMail')
        try:
            c.send(RAW, do)
            raise AssertionError('answered')
        except (OSError, EOFError):
            pass
        except Exception as e:
            assert 'closed' in str(e) or 'Remote' in str(e), e
        same(len(box.files(ALICE, 'Sent')) - before, count)
        same(c.send(RAW, do), '118' if count else None)


@test
def late_answers(box):
    c = box.client(ALICE)
    box.mischief('delay:400', ALICE)
    begun = time.monotonic()
    same(status(c), (200, '1'))
    assert time.monotonic() - begun >= 0.4


@test
def keys_are_lost(box):
    c = box.client(ALICE)
    inbox = c.folders()['Inbox']
    key, _ = c.all(inbox)
    box.mischief('reset-key', ALICE, 'Sync')
    same(c.sync(inbox, key).value('Status'), '3')
    box.mischief('reset-key', ALICE, 'FolderSync')
    same(status(c, SYNC.replace('0', c.folder_key)), (200, '9'))
    box.mischief('inline:110', ALICE, 'Ping')
    same(status(c, '<Ping/>', 'Ping'), (200, '110'))


@test
def what_is_asked_of_the_admin_endpoint_is_checked(box):
    for body in (b'', b'{}', b'{"do":"nonsense"}', b'{"do":"status:x"}',
                 b'{"do":"status:200"}', b'{"do":"451"}',
                 b'{"do":"449","typo":1}'):
        same(box.ask('POST', '/mischief', body)[0], 400)
    same(box.ask('POST', '/inject', RAW, {'X-User': 'x@y.test'})[0], 404)
    same(box.ask('POST', '/inject', RAW, {'X-User': ALICE,
                                          'X-Folder': 'None'})[0], 404)
    same(box.ask('POST', '/versions', b'{"versions":"99"}')[0], 400)
    same(box.ask('POST', '/policy', b'<Sync/>')[0], 400)
    same(box.ask('GET', '/nothing')[0], 404)


@test
def versions_change_at_run_time(box):
    c = box.client(ALICE)
    same(box.ask('POST', '/versions', b'{"versions":"14.1"}')[0], 200)
    same(c.options()['MS-ASProtocolVersions'], '14.1')
    same(status(c), (200, '138'))
    box.ask('POST', '/versions', b'{"versions":"14.0,14.1,16.0,16.1"}')
    same(status(c), (200, '1'))


def provision(c):
    """The whole handshake; the final key is used from then on."""
    c.policy = None
    root = c.post('Provision', PROVISION)
    same(root.value('settings:DeviceInformation/Status'), '1')
    first = root.value('Policies/Policy/PolicyKey')
    c.policy = first
    root = c.post('Provision', ACK % (first, 1))
    same(root.value('Policies/Policy/Status'), '1')
    same(root.find('Policies/Policy/Data'), None)
    c.policy = root.value('Policies/Policy/PolicyKey')
    assert c.policy != first


@test
def no_policy_no_key(box):
    c = box.client(ALICE, device='NOPOLICY1')
    root = c.post('Provision', PROVISION)
    same((root.value('Policies/Policy/Status'),
          root.find('Policies/Policy/PolicyKey')), ('2', None))
    same(status(c), (200, '1'))


@test
def a_policy_is_fetched_and_acknowledged(box):
    same(box.ask('POST', '/policy?user=' + ALICE,
                 (POLICY % 1).encode())[0], 200)
    c = box.client(ALICE, device='POLICY1')
    same(status(c), (200, '142'))
    root = c.post('Provision', PROVISION)
    same(root.value('Policies/Policy/Data/EASProvisionDoc/'
                    'RequireSignedSMIMEMessages'), '1')
    key = root.value('Policies/Policy/PolicyKey')
    # With the wrong key, in the document or in the header.
    c.policy = key
    same(c.post('Provision', ACK % (1, 1)).value('Policies/Policy/Status'),
         '5')
    c.policy = None
    same(c.post('Provision', ACK % (key, 1)).value('Policies/Policy/Status'),
         '5')
    c.policy = key
    same(c.post('Provision', ACK % (key, 2)).value('Status'), '139')
    same(c.post('Provision', ACK % (key, 4)).value('Status'), '145')
    same(status(c), (200, '142'))
    provision(c)
    same(status(c), (200, '1'))
    good, c.policy = c.policy, '12345'
    same(status(c), (200, '144'))
    c.policy = good
    same(box.ask('POST', '/policy?user=' + ALICE,
                 (POLICY % 0).encode())[0], 200)
    same(status(c), (200, '143'))
    provision(c)
    same(status(c), (200, '1'))
    c.packed = True
    same(status(c), (200, '1'))
    same(status(box.client(BOB, device='POLICY2')), (200, '1'))
    box.ask('POST', '/policy?user=' + ALICE, (POLICY % 0).encode() + b'<',
            {'X-Unchecked': '1'})
    c.policy, c.packed = None, False
    same(c.post('Provision', PROVISION).value('Policies/Policy/Status'), '4')
    box.ask('POST', '/policy?user=' + ALICE, b'')
    same(status(c), (200, '1'))


@test
def a_device_is_wiped(box):
    c = box.client(ALICE, device='WIPE1')
    box.mischief('wipe', ALICE, 'FolderSync')
    same(status(c), (200, '140'))
    same(status(c, '<Settings><UserInformation><Get/></UserInformation>'
                   '</Settings>', 'Settings'), (200, '140'))
    root = c.post('Provision', '<Provision/>')
    assert root.find('RemoteWipe') is not None
    c.post('Provision', '<Provision><RemoteWipe><Status>1</Status>'
                        '</RemoteWipe></Provision>')
    same(status(c), (200, '1'))


@test
def an_account_is_wiped(box):
    for version, element in (('16.1', 'AccountOnlyRemoteWipe'),
                             ('14.1', 'RemoteWipe')):
        c = box.client(ALICE, device='WIPE2', version=version)
        box.mischief('wipe-account', ALICE, 'FolderSync')
        same(status(c), (200, '140'))
        box.stop(kill=True)
        box.start()
        c = box.client(ALICE, device='WIPE2', version=version)
        same(status(c), (200, '140'))
        root = c.post('Provision', '<Provision/>')
        assert root.find(element) is not None, root
        c.post('Provision', '<Provision><%s><Status>1</Status></%s>'
                            '</Provision>' % (element, element))
        same(status(c), (200, '1'))


@test
def the_log_tells_who_did_what(box):
    box.ask('DELETE', '/log')
    c = box.client(ALICE, version='14.1')
    c.folders()
    c.post('Sync', '<Sync/>')
    c.password = 'wrong'
    c.options()
    log = box.log()
    same([(r['command'], r['http'], r.get('status')) for r in log],
         [('FolderSync', 200, 1), ('Sync', 200, 4), ('', 401, None)])
    same((log[0]['user'], log[0]['version'], log[0]['device']),
         (ALICE, '14.1', 'TESTDEVICE1'))


def state(c):
    """What a device sees of everything, from nothing."""
    seen = {}
    for name, folder in c.folders().items():
        _, items = c.all(folder)
        seen[name] = {i: (d.value('email:Read'), d.value('email:Flag/Status'),
                          [x.text for x in d.findall(
                              'email:Categories/Category')],
                          d.value('email:Subject'))
                      for i, d in items.items()}
    return seen


@test
def ids_keys_and_properties_survive(box):
    c = box.client(ALICE, device='KEEP1')
    box.ask('POST', '/policy', (POLICY % 0).encode())
    provision(c)
    folders = c.folders()
    inbox = folders['Inbox']
    key, items = c.all(inbox)
    item = list(items)[0] if items else box.inject(ALICE, RAW)
    answer = c.sync(inbox, key, commands=(
        '<Change><ServerId>%s</ServerId><ApplicationData><email:Read>1'
        '</email:Read><email:Categories><email:Category>a\tb</email:Category>'
        '</email:Categories></ApplicationData></Change>' % item))
    key = answer.value('SyncKey')
    gone = box.inject(ALICE, RAW)
    key = c.sync(inbox, key).value('SyncKey')
    os.unlink([f for f in box.files(ALICE)
               if f.split('/')[-2] == 'new'][-1])
    for kill in (False, True):
        other = box.client(ALICE, device='LOOK%d' % kill)
        provision(other)
        before = state(other)
        box.stop(kill=kill)
        box.start()
        c = box.client(ALICE, device='KEEP1', version=c.version)
        c.policy = c_policy(box, c)
        other = box.client(ALICE, device='LOOKAFTER%d' % kill)
        provision(other)
        after = state(other)
        same(after, before)
        root = c.post('FolderSync', SYNC)
        same({a.value('DisplayName'): a.value('ServerId')
              for a in root.findall('Changes/Add')}, folders)
        answer = c.sync(inbox, key)
        if not kill:
            same(len(answer.findall('Commands/Delete')), 1)
            key = answer.value('SyncKey')
        else:
            same(answer, None)
    assert gone
    box.ask('POST', '/policy', b'')


def c_policy(box, c):
    """The key that this device was given, from the server's own file."""
    with open(os.path.join(box.root, 'state', c.user, 'devices', c.device,
                           'device')) as f:
        for line in f:
            if line.startswith('policy '):
                return line.split()[1]
    raise AssertionError('no policy key kept')


@test
def killed_in_the_middle_of_many_changes(box):
    c = box.client(ALICE, device='KILL1')
    inbox = c.folders()['Inbox']
    for i in range(30):
        box.inject(ALICE, RAW.replace(b'Subject: x', b'Subject: k%d' % i))
    key, items = c.all(inbox)
    done = []

    def work():
        mine = key
        for item in items:
            try:
                answer = c.sync(inbox, mine, get=0, commands=(
                    '<Change><ServerId>%s</ServerId><ApplicationData>'
                    '<email:Read>1</email:Read></ApplicationData></Change>'
                    % item))
            except Exception:
                return
            mine = answer.value('SyncKey')
            done.append((item, mine))
    worker = threading.Thread(target=work)
    worker.start()
    while len(done) < 5 and worker.is_alive():
        time.sleep(0.002)
    box.stop(kill=True)
    worker.join(20)
    assert done
    box.start()
    fresh = box.client(ALICE, device='KILL2')
    fresh.folders()
    _, after = fresh.all(inbox)
    same(set(after), set(items))
    same([i for i, _ in done if after[i].value('email:Read') != '1'], [])
    # The key of the last answer is known.
    c = box.client(ALICE, device='KILL1')
    answer = c.sync(inbox, done[-1][1])
    assert answer is None or answer.value('Status') == '1'


@test
def a_torn_index_is_repaired(box):
    c = box.client(ALICE, device='TORN1')
    before = state(c)
    inbox = c.folders()['Inbox']
    box.stop()
    index = os.path.join(box.root, 'state', ALICE, 'folder-' + inbox)
    with open(index, 'ab') as f:
        f.write(b'1\t0\t0\ttorn')
    box.start()
    same(state(box.client(ALICE, device='TORN2')), before)
    box.inject(ALICE, RAW)
    box.stop()
    box.start()
    assert len(state(box.client(ALICE, device='TORN3'))['Inbox']) == \
        len(before['Inbox']) + 1


@test
def requests_have_a_limit(box):
    with Sandbox(USERS, args=['--max-request', '20000']) as small:
        c = small.client(ALICE)
        same(status(c), (200, '1'))
        try:
            c.send(RAW + b'x' * 20000, 'large')
            same(c.http, 413)
        except OSError:
            pass        # it stopped reading
        same(small.files(ALICE, 'Sent'), [])


@test
def nonsense_on_the_command_line(box):
    import subprocess
    for args in (['--nonsense'], [], ['--root', box.root, '--versions', '3'],
                 ['--root', box.root, '--listen', 'here'],
                 ['--root', box.root, '--max-request', 'all'],
                 ['--root', '/nonexistent/place']):
        done = subprocess.run([box.program] + args, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        assert done.returncode != 0 and done.stderr, args
        same(done.stdout, b'')


if __name__ == '__main__':
    with Sandbox(USERS) as sandbox:
        failed = test.run(sandbox)
        failed = sandbox.stop() or failed
    sys.exit(failed)
