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
    same(types, {'Inbox': '2', 'Drafts': '3', 'Trash': '4',
                 'Sent': '5'})


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


def change(item, data):
    return ('<Change><ServerId>%s</ServerId><ApplicationData>%s'
            '</ApplicationData></Change>' % (item, data))


FLAG = '<email:Flag>%s</email:Flag>'
SET = FLAG % ('<email:Status>2</email:Status><email:FlagType>Flag for follow '
              'up</email:FlagType>')


@test
def flags_go_both_ways_and_do_not_come_back(box):
    one, two = ready(box, device='FLAG1'), ready(box, device='FLAG2')
    inbox = one.list['Inbox']
    item = box.inject(ALICE, mail('flags'))
    key1, _ = one.all(inbox)
    key2, _ = two.all(inbox)
    answer = one.sync(inbox, key1, commands=change(
        item, '<email:Read>1</email:Read>' + SET +
        '<email:Categories><email:Category>Red one</email:Category>'
        '<email:Category>\u00fcber</email:Category></email:Categories>'))
    same((answer.value('Status'), answer.find('Responses'),
          answer.find('Commands')), ('1', None, None))
    key1 = answer.value('SyncKey')
    same(one.sync(inbox, key1), None)
    name = [f for f in box.files(ALICE) if f.endswith(':2,FS')]
    same(len(name), 1)
    answer = two.sync(inbox, key2)
    got = answer.find('Commands/Change/ApplicationData')
    same([c.name for c in got.children], ['Read', 'Flag', 'Categories'])
    same(got.value('email:Flag/Status'), '2')
    same([c.text for c in got.findall('email:Categories/Category')],
         ['Red one', '\u00fcber'])
    key2 = answer.value('SyncKey')
    # Only what changed, and cleared by an empty element.
    answer = two.sync(inbox, key2, commands=change(item, '<email:Flag/>'))
    answer = one.sync(inbox, key1)
    got = answer.find('Commands/Change/ApplicationData')
    same([(c.name, c.children) for c in got.children], [('Flag', [])])
    # Another program renames the file.
    path = [f for f in box.files(ALICE) if f.endswith(':2,S')][-1]
    os.rename(path, path[:-1])
    wait_for(lambda: one.sync(inbox, answer.value('SyncKey')) is not None)
    got = box.client(ALICE, device='FLAG3')
    got.folders()
    same(got.all(inbox)[1][item].value('email:Read'), '0')


def wait_for(what, seconds=5):
    import time
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.05)


@test
def the_details_of_a_flag_are_kept(box):
    c = ready(box, device='DETAIL1')
    item = box.inject(ALICE, mail('details'))
    key, _ = c.all(c.list['Inbox'])
    dates = ''.join('<tasks:%s>2026-01-0%dT00:00:00.000Z</tasks:%s>'
                    % (n, d, n) for n, d in (
                        ('StartDate', 1), ('DueDate', 2),
                        ('UtcStartDate', 1), ('UtcDueDate', 2)))
    answer = c.sync(c.list['Inbox'], key, get=0, commands=change(
        item, FLAG % ('<tasks:Subject>s</tasks:Subject><email:Status>2'
                      '</email:Status>' + dates)))
    same(answer.find('Responses'), None)
    other = ready(box, device='DETAIL2')
    flag = other.all(c.list['Inbox'])[1][item].find('email:Flag')
    same(flag.value('tasks:UtcDueDate'), '2026-01-02T00:00:00.000Z')
    same(flag.value('tasks:Subject'), 's')
    same(flag.value('Status'), '2')


@test
def deletes_move_unless_told_otherwise(box):
    c, other = ready(box, device='DEL1'), ready(box, device='DEL2')
    inbox, trash = c.list['Inbox'], c.list['Trash']
    soft, hard = (box.inject(ALICE, mail('del %d' % i)) for i in range(2))
    key, _ = c.all(inbox)
    key2, _ = other.all(inbox)
    tkey, before = c.all(trash)
    delete = '<Delete><ServerId>%s</ServerId></Delete>'
    answer = c.sync(inbox, key, commands=delete % soft)
    same((answer.find('Commands'), answer.find('Responses')), (None, None))
    answer = c.sync(inbox, answer.value('SyncKey'),
                    inner='<DeletesAsMoves>0</DeletesAsMoves>',
                    commands=delete % hard)
    tkey, new = c.all(trash, tkey)
    same([i.value('email:Subject') for i in new.values()], ['del 0'])
    answer = other.sync(inbox, key2)
    same(sorted(d.text for d in answer.findall('Commands/Delete/ServerId')),
         sorted([soft, hard]))
    # In the trash itself it is for good.
    c.sync(trash, tkey, commands=delete % list(new)[0])
    same([f for f in box.files(ALICE, 'Trash')
          if b'del 0' in open(f, 'rb').read()], [])


@test
def a_lost_answer_is_given_again(box):
    c = ready(box, device='LOST1')
    inbox = c.list['Inbox']
    item, doomed = (box.inject(ALICE, mail('lost %d' % i)) for i in range(2))
    key, _ = c.all(inbox)
    later = box.inject(ALICE, mail('later'))
    orders = (change(item, '<email:Read>1</email:Read>') +
              '<Delete><ServerId>%s</ServerId></Delete>' % doomed)
    box.mischief('drop-after', ALICE, 'Sync')
    try:
        c.sync(inbox, key, commands=orders)
        raise AssertionError('there was an answer')
    except OSError:
        pass
    answer = c.sync(inbox, key, commands=orders)
    same(answer.find('Responses'), None)
    same([a.text for a in answer.findall('Commands/Add/ServerId')], [later])
    same(c.sync(inbox, answer.value('SyncKey')), None)


@test
def the_server_wins_conflicts_unless_told_otherwise(box):
    one, two = ready(box, device='CON1'), ready(box, device='CON2')
    inbox = one.list['Inbox']
    item = box.inject(ALICE, mail('conflict'))
    key1, _ = one.all(inbox)
    key2, _ = two.all(inbox)
    one.sync(inbox, key1, commands=change(item, SET))
    answer = two.sync(inbox, key2, commands=change(item, '<email:Flag/>'))
    same(answer.value('Responses/Change/Status'), '7')
    same(answer.value('Commands/Change/ApplicationData/email:Flag/Status'),
         '2')
    three = ready(box, device='CON3')
    key3, _ = three.all(inbox, options='<Conflict>0</Conflict>')
    two.sync(inbox, answer.value('SyncKey'),
             commands=change(item, '<email:Read>1</email:Read>'))
    answer = three.sync(inbox, key3, commands=change(
        item, '<email:Read>0</email:Read>'))
    same(answer.find('Responses'), None)


@test
def options_are_remembered_and_replaced_as_a_whole(box):
    c = ready(box, device='STICKY1')
    inbox = c.list['Inbox']
    key, _ = c.all(inbox)
    html = ('MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n'
            '<p>A &amp; <b>B</b></p>\r\n').encode()
    first = box.inject(ALICE, mail('sticky').split(b'\r\n\r\n')[0] +
                       b'\r\n' + html)
    text = ('<base:BodyPreference><base:Type>1</base:Type>'
            '<base:TruncationSize>%d</base:TruncationSize>'
            '<base:Preview>3</base:Preview></base:BodyPreference>')
    answer = c.sync(inbox, key, options=text % 4000)
    body = answer.find('Commands/Add/ApplicationData/base:Body')
    same(body.value('Type'), '1')
    assert '<b>' not in body.value('Data') and 'B' in body.value('Data')
    same(len(body.value('Preview')), 3)
    box.inject(ALICE, mail('sticky2', 'long text\r\n'))
    answer = c.sync(inbox, answer.value('SyncKey'))
    body = answer.find('Commands/Add/ApplicationData/base:Body')
    same((body.value('Type'), body.value('Data')), ('1', 'long text\r\n'))
    box.inject(ALICE, mail('sticky3', 'long text\r\n'))
    answer = c.sync(inbox, answer.value('SyncKey'), options=text % 4)
    body = answer.find('Commands/Add/ApplicationData/base:Body')
    same((body.value('Data'), body.value('Truncated'),
          body.value('EstimatedDataSize')), ('long', '1', '11'))
    # MIME without MIMESupport is not given.
    box.inject(ALICE, mail('sticky4'))
    mime = ('<base:BodyPreference><base:Type>4</base:Type>'
            '</base:BodyPreference>')
    answer = c.sync(inbox, answer.value('SyncKey'), options=mime)
    body = answer.find('Commands/Add/ApplicationData/base:Body')
    same(body.value('Type'), '1')
    # 1: for S/MIME alone.
    signed = mail('signed').replace(b'\r\n\r\n', b'\r\nMIME-Version: 1.0'
                                    b'\r\nContent-Type: application/'
                                    b'pkcs7-mime\r\n\r\n', 1)
    box.inject(ALICE, mail('sticky5'))
    box.inject(ALICE, signed)
    answer = c.sync(inbox, answer.value('SyncKey'),
                    options='<MIMESupport>1</MIMESupport>' + mime)
    adds = answer.findall('Commands/Add/ApplicationData')
    same([a.value('base:Body/Type') for a in adds], ['1', '4'])
    same(adds[1].find('base:Body/Data').bytes, signed)
    same(adds[1].value('email:MessageClass'), 'IPM.Note.SMIME')


@test
def the_window_of_time_moves(box):
    import time
    c = ready(box, device='FILTER1')
    inbox = c.list['Inbox']
    old = box.inject(ALICE, mail('old'), internaldate=str(
        int(time.time()) - 10 * 86400))
    c_key = c.prime(inbox)
    key, items = c.all(inbox, c_key, options='<FilterType>3</FilterType>')
    assert old not in items and items
    answer = c.sync(inbox, key, options='<FilterType>4</FilterType>')
    same([a.text for a in answer.findall('Commands/Add/ServerId')], [old])
    answer = c.sync(inbox, answer.value('SyncKey'),
                    options='<FilterType>3</FilterType>')
    same([a.text for a in answer.findall('Commands/SoftDelete/ServerId')],
         [old])
    answer = c.sync(inbox, answer.value('SyncKey'),
                    options='<FilterType>0</FilterType>')
    same([a.text for a in answer.findall('Commands/Add/ServerId')], [old])


@test
def several_collections_and_only_those_with_news(box):
    c = ready(box, device='MANY1')
    keys = {n: c.all(i)[0] for n, i in c.list.items()
            if n in ('Inbox', 'Drafts', 'Sent')}
    box.inject(ALICE, mail('many'))
    box.inject(ALICE, mail('many'), 'Sent', flags='S')
    one = ('<Collection><SyncKey>%s</SyncKey><CollectionId>%s</CollectionId>'
           '</Collection>')
    root = c.post('Sync', '<Sync><Collections>%s</Collections></Sync>'
                  % ''.join(one % (k, c.list[n]) for n, k in keys.items()))
    got = {a.value('CollectionId'): a.value(
        'Commands/Add/ApplicationData/email:Read')
        for a in root.findall('Collections/Collection')}
    same(got, {c.list['Inbox']: '0', c.list['Sent']: '1'})
    # An empty request is the last one again.
    same(c.post('Sync'), None)
    box.inject(ALICE, mail('many'))
    root = c.post('Sync')
    same(root.value('Collections/Collection/CollectionId'), c.list['Inbox'])


@test
def a_sync_can_wait(box):
    import threading
    import time
    c = ready(box, device='WAIT1')
    key, _ = c.all(c.list['Inbox'])
    answer = []
    waiting = threading.Thread(target=lambda: answer.append(c.sync(
        c.list['Inbox'], key, outer='<Wait>1</Wait>')))
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive()
    box.inject(ALICE, mail('awaited'))
    waiting.join(10)
    same(answer[0].value('Commands/Add/ApplicationData/email:Subject'),
         'awaited')


@test
def folders_are_made_renamed_and_deleted(box):
    c, other = ready(box, device='TREE1'), ready(box, device='TREE2')
    create = ('<FolderCreate><SyncKey>%s</SyncKey><ParentId>%s</ParentId>'
              '<DisplayName>%s</DisplayName><Type>12</Type></FolderCreate>')
    sync = '<FolderSync><SyncKey>%s</SyncKey></FolderSync>'
    top = c.post('FolderCreate', create % (c.folder_key, 0, 'a/b'))
    same(top.value('Status'), '1')
    again = c.post('FolderCreate', create % (c.folder_key, 0, 'a/b'))
    same(again.value('ServerId'), top.value('ServerId'))
    sub = c.post('FolderCreate', create % (
        again.value('SyncKey'), top.value('ServerId'), '.hidden'))
    same(sub.value('Status'), '1')
    assert os.path.isdir(os.path.join(box.root, ALICE, 'a%2Fb/%2Ehidden/cur'))
    same(c.post('FolderSync', sync % sub.value('SyncKey'))
         .value('Changes/Count'), '0')
    root = other.post('FolderSync', sync % other.folder_key)
    same([a.value('DisplayName') for a in root.findall('Changes/Add')],
         ['a/b', '.hidden'])
    key2 = root.value('SyncKey')
    root = c.post('FolderUpdate', '<FolderUpdate><SyncKey>%s</SyncKey>'
                  '<ServerId>%s</ServerId><ParentId>0</ParentId><DisplayName>'
                  'c</DisplayName></FolderUpdate>' % (
                      sub.value('SyncKey'), top.value('ServerId')))
    same(root.value('Status'), '1')
    assert os.path.isdir(os.path.join(box.root, ALICE, 'c/%2Ehidden/cur'))
    key = root.value('SyncKey')
    root = other.post('FolderSync', sync % key2)
    same(root.value('Changes/Update/DisplayName'), 'c')
    key2 = root.value('SyncKey')
    root = c.post('FolderDelete', '<FolderDelete><SyncKey>%s</SyncKey>'
                  '<ServerId>%s</ServerId></FolderDelete>' % (
                      key, top.value('ServerId')))
    same(root.value('Status'), '1')
    root = other.post('FolderSync', sync % key2)
    same(len(root.findall('Changes/Delete')), 2)
    # A directory made by somebody else.
    os.makedirs(os.path.join(box.root, ALICE, 'Dropped/cur'), exist_ok=True)
    wait_for(lambda: other.post('FolderSync', sync % root.value('SyncKey'))
             .value('Changes/Add/DisplayName') == 'Dropped')


@test
def moved_items_are_told_on_both_sides(box):
    c = ready(box, device='MOVE1')
    inbox, drafts = c.list['Inbox'], c.list['Sent']
    item = box.inject(ALICE, mail('moved'), flags='SF')
    key, _ = c.all(inbox)
    dkey, _ = c.all(drafts)
    xml = ('<MoveItems><Move><SrcMsgId>%s</SrcMsgId><SrcFldId>%s</SrcFldId>'
           '<DstFldId>%s</DstFldId></Move></MoveItems>'
           % (item, inbox, drafts))
    root = c.post('MoveItems', xml)
    same(root.value('Response/Status'), '3')
    new = root.value('Response/DstMsgId')
    same(c.post('MoveItems', xml).value('Response/Status'), '1')
    same(c.sync(inbox, key).value('Commands/Delete/ServerId'), item)
    add = c.sync(drafts, dkey).find('Commands/Add')
    same((add.value('ServerId'), add.value('ApplicationData/email:Read'),
          add.value('ApplicationData/email:Flag/Status')), (new, '1', '2'))


@test
def drafts_are_made_changed_and_sent(box):
    c = ready(box, device='DRAFT1')
    drafts = c.list['Drafts']
    key = c.prime(drafts)
    raw = mail('mime draft')
    add = ('<Add><ClientId>%s</ClientId><ApplicationData>%s</ApplicationData>'
           '%s</Add>')
    body = '<base:Body><base:Type>4</base:Type><base:Data>%s</base:Data></base:Body>'
    from xml.sax.saxutils import escape
    mime = body % escape(raw.decode().replace('\r', '&#13;')).replace(
        '&amp;#13;', '&#13;')
    answer = c.sync(drafts, key, commands=add % ('d1', mime, ''))
    one = answer.find('Responses/Add')
    same((one.value('ClientId'), one.value('Status')), ('d1', '1'))
    item = one.value('ServerId')
    same(c.fetch(drafts, item), raw)
    # The same request again makes no second one.
    answer = c.sync(drafts, key, commands=add % ('d1', mime, ''))
    same(answer.value('Responses/Add/ServerId'), item)
    same(len(box.files(ALICE, 'Drafts')), 1)
    fields = ('<email:To>%s</email:To><email:Subject>Re: \u00fc</email:Subject>'
              '<base:Body><base:Type>1</base:Type><base:Data>text</base:Data>'
              '</base:Body><base:Attachments><base:Add><base:ClientId>a'
              '</base:ClientId><base:Method>1</base:Method><base:Content>bytes'
              '</base:Content><base:DisplayName>f.txt</base:DisplayName>'
              '</base:Add></base:Attachments>' % BOB)
    answer = c.sync(drafts, answer.value('SyncKey'),
                    commands=add % ('d2', fields, ''))
    item2 = answer.value('Responses/Add/ServerId')
    made = c.fetch(drafts, item2)
    assert b'f.txt' in made and b'multipart/mixed' in made
    key = answer.value('SyncKey')
    before = len(box.files(BOB))
    answer = c.sync(drafts, key, commands=(
        '<Change><ServerId>%s</ServerId><ApplicationData>%s</ApplicationData>'
        '<email2:Send/></Change>' % (item2, fields)))
    same(answer.find('Responses'), None)
    same(len(box.files(BOB)), before + 1)
    same(answer.value('Commands/Delete/ServerId'), item2)
    answer = c.sync(drafts, answer.value('SyncKey'), commands=add % (
        'd3', body % 'Subject: x', '<email2:Send/>'))
    same(answer.value('Responses/Add/Status'), '183')


@test
def attachments_are_listed_and_fetched_in_ranges(box):
    c = ready(box, device='ATT1')
    raw = (b'From: a@b.test\r\nTo: c@d.test\r\nMIME-Version: 1.0\r\n'
           b'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n'
           b'text\r\n--b\r\nContent-Type: application/x-test\r\n'
           b'Content-Disposition: attachment; filename=n.bin\r\n'
           b'Content-Transfer-Encoding: base64\r\n\r\nMDEyMzQ1Njc4OQ==\r\n'
           b'--b--\r\n')
    key, _ = c.all(c.list['Inbox'])
    box.inject(ALICE, raw)
    text = '<base:BodyPreference><base:Type>1</base:Type></base:BodyPreference>'
    one = c.sync(c.list['Inbox'], key, options=text).find(
        'Commands/Add/ApplicationData/base:Attachments/Attachment')
    same(one.value('DisplayName'), 'n.bin')
    xml = ('<ItemOperations><Fetch><Store>Mailbox</Store><base:FileReference>'
           '%s</base:FileReference>%s</Fetch></ItemOperations>')
    root = c.post('ItemOperations', xml % (one.value('FileReference'), ''))
    same(root.value('Response/Fetch/Properties/Data'), 'MDEyMzQ1Njc4OQ==')
    part = '<Options><Range>2-4</Range></Options>'
    root = c.post('ItemOperations', xml % (one.value('FileReference'), part),
                  {'MS-ASAcceptMultiPart': 'T'})
    got = root.find('Response/Fetch/Properties')
    same((c.parts[int(got.value('Part'))], got.value('Range'),
          got.value('Total')), (b'234', '2-4', '10'))
    root = c.post('ItemOperations', xml % (
        one.value('FileReference'),
        '<Options><Range>10-12</Range></Options>'))
    same(root.value('Response/Fetch/Status'), '8')


@test
def estimates_count_what_is_pending(box):
    c = ready(box, device='EST1')
    key, _ = c.all(c.list['Inbox'])
    box.inject(ALICE, mail('est'))
    root = c.post('GetItemEstimate', (
        '<GetItemEstimate><Collections><Collection><airsync:SyncKey>%s'
        '</airsync:SyncKey><CollectionId>%s</CollectionId></Collection>'
        '</Collections></GetItemEstimate>') % (key, c.list['Inbox']))
    same(root.value('Response/Collection/Estimate'), '1')


@test
def replies_mark_the_original(box):
    c = ready(box, device='REPLY1')
    inbox = c.list['Inbox']
    item = box.inject(ALICE, mail('original'))
    key, _ = c.all(inbox)
    import wbxml
    xml = ('<Smart%s><ClientId>%s</ClientId><Source><FolderId>%s</FolderId>'
           '<ItemId>%s</ItemId></Source><ReplaceMime/>'
           '<Mime code="base64">%s</Mime></Smart%s>')
    for kind, verb in (('Reply', '1'), ('Forward', '3')):
        same(c.post('Smart' + kind, xml % (
            kind, 'r' + verb, inbox, item, wbxml.opaque(mail(to=BOB)), kind)),
            None)
        same(c.http, 200)
        answer = c.sync(inbox, key)
        key = answer.value('SyncKey')
        same(answer.value('Commands/Change/ApplicationData/'
                          'email2:LastVerbExecuted'), verb)
    same(len([f for f in box.files(ALICE) if ':2,PR' in f]), 1)


@test
def mail_to_nobody_of_ours_comes_back(box):
    c = ready(box)
    before = set(box.files(ALICE))
    same(c.send(mail(to='nobody@example.test'), 'nobody-1'), None)
    new, = set(box.files(ALICE)) - before
    assert b'report-type=delivery-status' in open(new, 'rb').read()


@test
def people_lists_and_certificates(box):
    for d in ('people', 'lists'):
        os.makedirs(os.path.join(box.root, d), exist_ok=True)
    pem = ('-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n'
           '-----END CERTIFICATE-----\n')
    with open(os.path.join(box.root, 'people', BOB + '.pem'), 'w') as f:
        f.write(pem + pem)
    with open(os.path.join(box.root, 'lists/all@example.test'), 'w') as f:
        f.write('%s\n%s\n' % (ALICE, BOB))
    c = ready(box)
    root = c.post('ResolveRecipients', (
        '<ResolveRecipients><To>%s</To><To>all@example.test</To><To>%s</To>'
        '<To>nobody@other.test</To><To>bo</To><Options><CertificateRetrieval>2'
        '</CertificateRetrieval></Options></ResolveRecipients>')
        % (BOB.upper(), ALICE))
    got = root.findall('Response')
    same([r.value('Status') for r in got], ['1', '1', '1', '4', '1'])
    certs = [r.find('Recipient/Certificates') for r in got]
    same([c.text for c in certs[0].findall('Certificate')],
         ['QUJDREVG', 'QUJDREVG'])
    same((certs[1].value('RecipientCount'), certs[1].value(
        'CertificateCount')), ('2', '2'))
    same(certs[2].value('Status'), '7')
    root = c.post('ResolveRecipients', (
        '<ResolveRecipients><To>%s</To><Options><CertificateRetrieval>2'
        '</CertificateRetrieval><MaxCertificates>1</MaxCertificates></Options>'
        '</ResolveRecipients>') % BOB)
    certs = root.find('Response/Recipient/Certificates')
    same((certs.value('Status'), certs.find('Certificate')), ('8', None))
    xml = ('<ResolveRecipients><To>%s</To><Options><MaxAmbiguousRecipients>%d'
           '</MaxAmbiguousRecipients></Options></ResolveRecipients>')
    with open(os.path.join(box.root, 'people/bobby@other.test.pem'), 'w'):
        pass
    for most, status, shown in ((9, '2', 2), (1, '3', 1)):
        got = c.post('ResolveRecipients', xml % ('bo', most)).find('Response')
        same((got.value('Status'), got.value('RecipientCount'),
              len(got.findall('Recipient'))), (status, '2', shown))
    before = {u: len(box.files(u)) for u in (ALICE, BOB)}
    same(c.send(mail(to='all@example.test'), 'list-1'), None)
    same({u: len(box.files(u)) - n for u, n in before.items()},
         {ALICE: 1, BOB: 1})


@test
def who_am_i_by_version(box):
    xml = '<Settings><UserInformation><Get/></UserInformation></Settings>'
    root = ready(box).post('Settings', xml)
    same(root.value('UserInformation/Get/Accounts/Account/EmailAddresses/'
                    'PrimarySmtpAddress'), ALICE)
    root = box.client(ALICE, version='14.0').post('Settings', xml)
    same(root.value('UserInformation/Get/EmailAddresses/SMTPAddress')
         or root.value('UserInformation/Get/EmailAddresses/SmtpAddress'),
         ALICE)


@test
def a_ping_that_nobody_waits_for_is_forgotten(box):
    import time
    import wbxml
    c = ready(box, device='LEFT1')
    c.all(c.list['Inbox'])
    xml = ('<Ping><HeartbeatInterval>60</HeartbeatInterval><Folders><Folder>'
           '<Id>%s</Id><Class>Email</Class></Folder></Folders></Ping>'
           % c.list['Inbox'])
    link = c.connect()
    link.request('POST', c.target('Ping'), wbxml.encode(xml), {
        'Authorization': c.basic(), 'MS-ASProtocolVersion': '16.1',
        'Content-Type': 'application/vnd.ms-sync.wbxml'})
    time.sleep(0.2)
    link.close()
    box.inject(ALICE, mail('after the ping'))
    same(c.post('Ping').value('Status'), '2')


@test
def a_new_ping_ends_the_one_before(box):
    import threading
    import time
    c, again = ready(box, device='TWICE1'), box.client(ALICE, device='TWICE1')
    c.all(c.list['Inbox'])
    xml = ('<Ping><HeartbeatInterval>60</HeartbeatInterval><Folders><Folder>'
           '<Id>%s</Id><Class>Email</Class></Folder></Folders></Ping>'
           % c.list['Inbox'])
    answers = []
    threads = []
    for one in (c, again):
        threads.append(threading.Thread(
            target=lambda o=one: answers.append(o.post('Ping', xml))))
        threads[-1].start()
        time.sleep(0.3)
    threads[0].join(10)
    same([a.value('Status') for a in answers], ['1'])
    box.inject(ALICE, mail('both'))
    threads[1].join(10)
    same([a.value('Status') for a in answers], ['1', '2'])


@test
def what_a_maildir_cannot_show_is_told(box):
    import json
    c = ready(box, device='TOLD1')
    item = box.inject(ALICE, mail('told'), flags='F')
    key, _ = c.all(c.list['Inbox'])
    c.sync(c.list['Inbox'], key, commands=change(
        item, '<email:Categories><email:Category>Red</email:Category>'
        '</email:Categories>'))
    lines = [json.loads(x) for x in box.ask(
        'GET', '/messages?user=%s&folder=INBOX' % ALICE)[1].splitlines()]
    one, = [x for x in lines if x['id'] == item]
    same((one['categories'], one['read'], one['flagged']),
         (['Red'], False, True))
    same(box.ask('GET', '/messages?user=x')[0], 404)


@test
def the_packed_query_is_understood(box):
    c = box.client(ALICE, device='PACKED1')
    c.packed = True
    inbox = c.folders()['Inbox']
    key, items = c.all(inbox)
    assert items
    same(box.log()[-1]['device'], 'PACKED1')


@test
def deleted_items_are_emptied(box):
    c = ready(box)
    box.inject(ALICE, mail('waste'), 'Trash')
    os.makedirs(os.path.join(box.root, ALICE, 'Trash/Deep/cur'),
                exist_ok=True)
    wait_for(lambda: 'Deep' in box.client(ALICE, device='DEEP1').folders())
    root = c.post('ItemOperations', (
        '<ItemOperations><EmptyFolderContents><airsync:CollectionId>%s'
        '</airsync:CollectionId><Options><DeleteSubFolders/></Options>'
        '</EmptyFolderContents></ItemOperations>') % c.list['Trash'])
    same(root.value('Response/EmptyFolderContents/Status'), '1')
    same(box.files(ALICE, 'Trash'), [])
    assert not os.path.exists(os.path.join(box.root, ALICE, 'Trash/Deep'))


if __name__ == '__main__':
    with Sandbox(USERS) as sandbox:
        failed = test.run(sandbox)
        status = sandbox.stop()
    sys.exit(failed or status)
