"""Servers with habits: odd ids, MIME made anew, odd listings, odd copies of
sent mail. What sealpost-sandbox(1) promises of each, one by one."""
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'lab'))
import tap                                              # noqa: E402
import wbxml                                            # noqa: E402
from easclient import Sandbox                           # noqa: E402
from tap import same                                    # noqa: E402

ALICE, BOB = 'alice@example.test', 'bob@example.test'
USERS = {ALICE: 'secret-alice', BOB: 'secret-bob'}
SYNC = '<FolderSync><SyncKey>0</SyncKey></FolderSync>'
test = tap.Tests()


def mail(subject='x', to=ALICE, extra=''):
    return ('From: Bob <%s>\r\nTo: %s\r\nSubject: %s\r\n'
            'Message-ID: <%s@test>\r\n%s\r\nx\r\n'
            % (BOB, to, subject, subject.replace(' ', '.'), extra)).encode()


def ready(box, device, user=ALICE, **more):
    c = box.client(user, device=device, **more)
    c.list = c.folders()
    return c


def subjects(items):
    return {i: d.value('email:Subject') for i, d in items.items()}


@test
def whole_answers_that_are_none(box):
    c = box.client(ALICE, device='HTTP1')
    for do, http, kind in (('status:500', 500, 'text/html'),
                           ('status:502', 502, 'text/html'),
                           ('html', 200, 'text/html')):
        box.mischief(do, ALICE)
        c.raw('FolderSync', b'')
        same(c.http, http)
        assert kind in c.headers['Content-Type'], c.headers
        assert c.body.startswith(b'<!DOCTYPE'), c.body
    box.mischief('empty', ALICE)
    same(c.post('FolderSync', SYNC), None)
    same((c.http, c.body), (200, b''))
    box.mischief('type:text/plain', ALICE)
    same(c.post('FolderSync', SYNC).value('Status'), '1')
    assert 'text/plain' in c.headers['Content-Type']


@test
def cut_at_each_byte(box):
    c = box.client(ALICE, device='CUT1')
    c.post('FolderSync', SYNC)
    whole = len(c.body)
    for n in (0, 1, 7, whole - 20):      # keys differ in length
        box.mischief('cut:%d' % n, ALICE)
        try:
            c.post('FolderSync', SYNC)
            raise AssertionError('whole')
        except Exception as e:
            assert not isinstance(e, AssertionError), n
    box.mischief('cut:%d' % (whole + 20), ALICE)
    same(c.post('FolderSync', SYNC).value('Status'), '1')


@test
def skipped_and_late(box):
    c = box.client(ALICE, device='LATE1')
    box.mischief('status:503', ALICE, skip=2)
    got = []
    for _ in range(4):
        c.post('FolderSync', SYNC)
        got.append(c.http)
    same(got, [200, 200, 503, 200])
    box.mischief('late:400', ALICE, 'SendMail')
    begun = time.monotonic()
    before = len(box.files(BOB))
    same(c.send(mail('late', to=BOB), 'late-1'), None)
    assert time.monotonic() - begun >= 0.35  # a timer may be a little early
    same(len(box.files(BOB)), before + 1)


@test
def a_partnership_is_removed(box):
    c = ready(box, 'GONE1')
    key, _ = c.all(c.list['Inbox'])
    box.mischief('forget-device', ALICE, 'Sync')
    same(c.sync(c.list['Inbox'], key).value('Status'), '12')
    root = c.post('FolderSync', SYNC.replace('0', c.folder_key))
    same(root.value('Status'), '9')
    c.list = c.folders()
    same(c.sync(c.list['Inbox'], key).value('Status'), '3')
    c.all(c.list['Inbox'])


@test
def small_ids_are_known_everywhere(box):
    box.mischief('small-ids', ALICE, times=0)
    c = ready(box, 'SMALL1')
    inbox, trash = c.list['Inbox'], c.list['Trash']
    item = box.inject(ALICE, mail('small'))
    assert item.isdigit(), item
    key, items = c.all(inbox)
    same(subjects(items)[item], 'small')
    same(c.fetch(inbox, item), mail('small'))
    answer = c.sync(inbox, key, commands=(
        '<Change><ServerId>%s</ServerId><ApplicationData><email:Read>1'
        '</email:Read></ApplicationData></Change>' % item))
    same(answer.find('Responses'), None)
    root = c.post('MoveItems', '<MoveItems><Move><SrcMsgId>%s</SrcMsgId>'
                  '<SrcFldId>%s</SrcFldId><DstFldId>%s</DstFldId></Move>'
                  '</MoveItems>' % (item, inbox, trash))
    same(root.value('Response/Status'), '3')
    moved = root.value('Response/DstMsgId')
    same(subjects(c.all(trash)[1])[moved], 'small')
    box.ask('DELETE', '/mischief')


@test
def ids_change_hands(box):
    c, other = ready(box, 'IDS1'), ready(box, 'IDS2')
    inbox = c.list['Inbox']
    for i in range(4):
        box.inject(ALICE, mail('hand %d' % i))
    key, before = c.all(inbox)
    key2, _ = other.all(inbox)
    for do in ('renumber', 'swap-ids'):
        box.mischief(do, ALICE, 'Sync', folder='INBOX')
        same(c.sync(inbox, key).value('Status'), '3')
        same(other.sync(inbox, key2).value('Status'), '3')
        key, after = c.all(inbox)
        key2, _ = other.all(inbox)
        same(sorted(subjects(after).values()),
             sorted(subjects(before).values()))
        if do == 'renumber':
            same(set(after) & set(before), set())
        else:
            same(set(after), set(before))
            moved = [i for i in after
                     if subjects(after)[i] != subjects(before)[i]]
            assert len(moved) >= 2, moved
        for i in after:
            assert c.fetch(inbox, i).find(
                subjects(after)[i].encode()) > 0
        before = after
        box.stop()
        box.start()
        c = box.client(ALICE, device='IDS1')
        other = box.client(ALICE, device='IDS2')
        same(c.sync(inbox, key), None)
        fresh = ready(box, 'IDS3' + do[:1])
        same(subjects(fresh.all(inbox)[1]), subjects(after))


@test
def an_id_is_used_again(box):
    c = ready(box, 'REUSE1')
    inbox = c.list['Inbox']
    item = box.inject(ALICE, mail('first holder'))
    box.inject(ALICE, mail('between'))
    key, _ = c.all(inbox)
    answer = c.sync(inbox, key, inner='<DeletesAsMoves>0</DeletesAsMoves>',
                    commands='<Delete><ServerId>%s</ServerId></Delete>' % item)
    key = answer.value('SyncKey')
    box.mischief('reuse-ids', ALICE, times=0)
    ids = [box.inject(ALICE, mail('holder %d' % i)) for i in range(40)]
    box.ask('DELETE', '/mischief')
    assert item in ids, (item, ids[:3])
    key, items = c.all(inbox, key)
    same(subjects(items)[item], 'holder %d' % ids.index(item))
    assert subjects(items)[item].encode() in c.fetch(inbox, item)


MULTI = ('MIME-Version: 1.0\r\nContent-Type: multipart/mixed; '
         'boundary="=_outer-boundary"\r\n\r\n--=_outer-boundary\r\n'
         'Content-Type: text/plain\r\n\r\nx\r\n--=_outer-boundary--')


@test
def mime_is_made_anew(box):
    c = ready(box, 'MIME1')
    item = box.inject(ALICE, mail('anew', extra=MULTI))
    box.mischief('rebuild', ALICE, times=2)
    got = [c.fetch(c.list['Inbox'], item) for _ in range(3)]
    same(got[2], mail('anew', extra=MULTI))
    bounds = [re.search(rb'boundary="([^"]*)"', g).group(1) for g in got]
    same((len(set(got)), len(set(bounds))), (3, 3))
    for g, b in zip(got, bounds):
        same(g.count(b'--' + b), 2)
        assert b'<anew@test>' in g
    box.mischief('message-id', ALICE, times=2, subject='anew')
    got = [c.fetch(c.list['Inbox'], item) for _ in range(2)]
    same(got[0], got[1])
    assert b'<anew@test>' not in got[0] and b'@replaced' in got[0]


@test
def one_that_is_never_handed_out(box):
    c = ready(box, 'NEVER1')
    inbox = c.list['Inbox']
    bad = box.inject(ALICE, mail('locked away'))
    good = box.inject(ALICE, mail('free'))
    box.mischief('never:6', ALICE, times=0, subject='locked')
    same(c.fetch(inbox, bad), None)
    same(c.fetch(inbox, good), mail('free'))
    _, items = c.all(inbox, options=(
        '<base:BodyPreference><base:Type>4</base:Type></base:BodyPreference>'
        '<MIMESupport>2</MIMESupport>'))
    same(items[bad].find('base:Body/Data'), None)
    assert items[good].find('base:Body/Data') is not None
    box.ask('DELETE', '/mischief')
    same(c.fetch(inbox, bad), mail('locked away'))


@test
def moves_without_a_true_id(box):
    c = ready(box, 'MOVE1')
    inbox, trash = c.list['Inbox'], c.list['Trash']
    for do in ('move-no-id', 'move-wrong-id', 'move-old-id'):
        item = box.inject(ALICE, mail(do))
        box.mischief(do, ALICE, 'MoveItems')
        root = c.post('MoveItems', '<MoveItems><Move><SrcMsgId>%s</SrcMsgId>'
                      '<SrcFldId>%s</SrcFldId><DstFldId>%s</DstFldId></Move>'
                      '</MoveItems>' % (item, inbox, trash))
        same(root.value('Response/Status'), '3')
        told = root.value('Response/DstMsgId')
        true = [i for i, s in subjects(c.all(trash)[1]).items() if s == do]
        same(len(true), 1)
        if do == 'move-no-id':
            same(told, None)
        elif do == 'move-old-id':
            same(told, item)
        else:
            assert told and told != true[0], told


@test
def odd_listings(box):
    c = ready(box, 'ODD1')
    inbox = c.list['Inbox']
    key, before = c.all(inbox)
    a, b = (box.inject(ALICE, mail('odd %d' % i)) for i in range(2))
    box.mischief('list-empty', ALICE, 'Sync', folder='INBOX', times=2)
    box.mischief('list-empty', ALICE, 'Sync', folder='Trash')
    same(c.sync(inbox, key), None)
    same(c.sync(inbox, key), None)
    box.ask('DELETE', '/mischief')
    box.mischief('twice', ALICE)
    box.mischief('reverse', ALICE)
    box.mischief('delete-unknown', ALICE)
    answer = c.sync(inbox, key)
    same([x.text for x in answer.findall('Commands/Add/ServerId')],
         [b, a, b, a])
    gone = [x.text for x in answer.findall('Commands/Delete/ServerId')]
    same(len(gone), 1)
    assert gone[0] not in before
    key = answer.value('SyncKey')
    box.mischief('again:2', ALICE)
    answer = c.sync(inbox, key)
    same([x.text for x in answer.findall('Commands/Add/ServerId')], [b, a])
    key = answer.value('SyncKey')
    other = ready(box, 'ODD2')
    okey, _ = other.all(inbox)
    other.sync(inbox, okey, commands=(
        '<Change><ServerId>%s</ServerId><ApplicationData><email:Read>1'
        '</email:Read></ApplicationData></Change>' % a))
    box.mischief('whole-items', ALICE)
    answer = c.sync(inbox, key)
    got = answer.find('Commands/Change/ApplicationData')
    same((got.value('email:Read'), got.value('email:Subject')), ('1', 'odd 0'))


@test
def copies_of_sent_mail(box):
    c = ready(box, 'SENT1')

    def new(do, subject):
        if do:
            box.mischief(do, ALICE, 'SendMail')
        before = set(box.files(ALICE, 'Sent'))
        same(c.send(mail(subject, to=BOB, extra=MULTI), subject), None)
        return [open(p, 'rb').read()
                for p in set(box.files(ALICE, 'Sent')) - before]
    plain = new(None, 'plain')[0]
    assert b'<plain@test>' in plain and b'=_outer' in plain
    same(new('sent-none', 'none'), [])
    other = new('sent-message-id', 'otherid')[0]
    assert b'@replaced' in other and b'<otherid@test>' not in other
    other = new('sent-bytes', 'bytes')[0]
    assert b'<bytes@test>' in other and b'=_outer' not in other
    same(new('sent-late:300', 'late'), [])
    end = time.monotonic() + 5
    while not any(b'<late@test>' in open(p, 'rb').read()
                  for p in box.files(ALICE, 'Sent')):
        assert time.monotonic() < end, 'it never came'
        time.sleep(0.05)


@test
def client_ids_are_forgotten(box):
    c = ready(box, 'FORGET1')
    box.mischief('forget-client-ids', ALICE, 'SendMail')
    before = len(box.files(BOB))
    for want in (None, None, '118'):
        same(c.send(mail('forget', to=BOB), 'forget-1'), want)
    same(len(box.files(BOB)), before + 2)


@test
def a_draft_in_mime_kills(box):
    c = ready(box, 'DRAFT1')
    drafts = c.list['Drafts']
    key, _ = c.all(drafts)
    add = ('<Add><ClientId>d1</ClientId><ApplicationData><base:Body><base:Type>'
           '4</base:Type><base:Data code="base64">%s</base:Data></base:Body>'
           '</ApplicationData></Add>' % wbxml.opaque(mail('draft')))
    box.mischief('drafts-die', ALICE, 'Sync')
    try:
        c.sync(drafts, key, commands=add)
        raise AssertionError('answered')
    except OSError:
        pass
    same(box.files(ALICE, 'Drafts'), [])


@test
def rules_of_the_start(box):
    with Sandbox(USERS) as other:
        other.stop()
        path = os.path.join(other.root, 'mischief')
        with open(path, 'w') as f:
            f.write('# from the start\n%s\n' % json.dumps(
                {'user': ALICE, 'command': 'FolderSync', 'do': 'status:503'}))
        for _ in range(2):
            other.start()
            c = other.client(ALICE)
            got = []
            for _ in range(2):
                c.post('FolderSync', SYNC)
                got.append(c.http)
            same(got, [503, 200])
            other.stop()


if __name__ == '__main__':
    with Sandbox(USERS) as sandbox:
        failed = test.run(sandbox)
        failed = sandbox.stop() or failed
    sys.exit(failed)
