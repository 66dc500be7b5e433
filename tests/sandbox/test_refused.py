"""Requests that break the rules get the error that Exchange would give, and
nothing is done for them. Each case: a request and the Status wanted."""
import os
import sys

sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'lab'))
import tap                                              # noqa: E402
import wbxml                                            # noqa: E402
from easclient import Sandbox                           # noqa: E402
from tap import same                                    # noqa: E402

ALICE, BOB = 'alice@example.test', 'bob@example.test'
USERS = {ALICE: 'secret-alice', BOB: 'secret-bob'}
RAW = (b'From: Bob <bob@example.test>\r\nTo: alice@example.test\r\n'
       b'Subject: x\r\n\r\nx\r\n')
test = tap.Tests()


class Place:
    """What the cases are about."""

    def __init__(self, box):
        self.box = box
        self.c = box.client(ALICE)
        self.f = self.c.folders()
        self.inbox, self.drafts = self.f['Inbox'], self.f['Drafts']
        self.item = box.inject(ALICE, RAW)
        self.key, _ = self.c.all(self.inbox)


def sync_xml(p, inner, key=None, outer=''):
    return ('<Sync><Collections><Collection><SyncKey>%s</SyncKey>'
            '<CollectionId>%s</CollectionId>%s</Collection></Collections>%s'
            '</Sync>' % (key or p.key, p.inbox, inner, outer))


def roots(cases, command, p, wanted_in='Status'):
    """(name, xml, status) for the Status of the root."""
    bad = []
    for name, xml, status in cases:
        root = p.c.post(command, xml)
        got = None if root is None else root.value(wanted_in)
        if got != status:
            bad.append('%s: got %s, want %s' % (name, got, status))
    same(bad, [])


PREF = '<base:BodyPreference>%s</base:BodyPreference>'


@test
def sync_as_a_whole(p):
    def options(text):
        return '<Options>%s</Options>' % text
    roots([
        ('SyncKey missing', '<Sync><Collections><Collection><CollectionId>5'
         '</CollectionId></Collection></Collections></Sync>', '4'),
        ('CollectionId first', '<Sync><Collections><Collection><CollectionId>5'
         '</CollectionId><SyncKey>0</SyncKey></Collection></Collections>'
         '</Sync>', '4'),
        ('WindowSize before GetChanges', sync_xml(
            p, '<WindowSize>5</WindowSize><GetChanges>1</GetChanges>'), '4'),
        ('Commands before Options', sync_xml(
            p, '<Commands><Delete><ServerId>5:1</ServerId></Delete></Commands>'
            + options('<FilterType>0</FilterType>')), '4'),
        ('an element of another place', sync_xml(p, '<Status>1</Status>'),
         '4'),
        ('key 0 with GetChanges', sync_xml(
            p, '<GetChanges>1</GetChanges>', '0'), '4'),
        ('key 0 with empty GetChanges', sync_xml(p, '<GetChanges/>', '0'),
         '4'),
        ('key 0 with Commands', sync_xml(
            p, '<Commands><Delete><ServerId>5:1</ServerId></Delete>'
            '</Commands>', '0'), '4'),
        ('FilterType of calendars', sync_xml(
            p, options('<FilterType>6</FilterType>')), '4'),
        ('FilterType no number', sync_xml(
            p, options('<FilterType>all</FilterType>')), '4'),
        ('MIMESupport 3', sync_xml(
            p, options('<MIMESupport>3</MIMESupport>')), '4'),
        ('BodyPreference out of order', sync_xml(p, options(
            PREF % '<base:TruncationSize>1</base:TruncationSize>'
                   '<base:Type>1</base:Type>')), '4'),
        ('BodyPreference without Type', sync_xml(p, options(
            PREF % '<base:AllOrNone>1</base:AllOrNone>')), '4'),
        ('BodyPreference of type 5', sync_xml(p, options(
            PREF % '<base:Type>5</base:Type>')), '4'),
        ('the same type twice', sync_xml(p, options(
            2 * (PREF % '<base:Type>1</base:Type>'))), '4'),
        ('Preview too long', sync_xml(p, options(
            PREF % '<base:Type>1</base:Type><base:Preview>256'
            '</base:Preview>')), '4'),
        ('Wait and HeartbeatInterval', sync_xml(
            p, '', outer='<Wait>1</Wait><HeartbeatInterval>60'
            '</HeartbeatInterval>'), '4'),
        ('Wait too long', sync_xml(p, '', outer='<Wait>60</Wait>'), '14'),
        ('HeartbeatInterval too short', sync_xml(
            p, '', outer='<HeartbeatInterval>59</HeartbeatInterval>'), '14'),
        ('a collection twice', '<Sync><Collections>%s</Collections></Sync>' % (
            2 * ('<Collection><SyncKey>%s</SyncKey><CollectionId>%s'
                 '</CollectionId></Collection>' % (p.key, p.inbox))), '4'),
        ('201 commands', sync_xml(p, '<Commands>%s</Commands>' % (
            201 * '<Delete><ServerId>5:99</ServerId></Delete>')), '4'),
        ('a command without ServerId', sync_xml(
            p, '<Commands><Delete/></Commands>'), '4'),
        ('Partial without a cache', '<Sync><Partial/><Wait>1</Wait></Sync>',
         '13'),
        ('nothing', '<Sync/>', '4'),
    ], 'Sync', Place.fresh(p, 'WHOLE1'))


def fresh(p, device):
    """The same place seen by a new device, nothing cached for it."""
    q = Place.__new__(Place)
    q.__dict__.update(p.__dict__)
    q.c = p.box.client(ALICE, device=device)
    q.c.folders()
    return q


Place.fresh = fresh


@test
def sync_without_a_request_before_it(p):
    c = p.fresh('EMPTY1').c
    same(c.post('Sync').value('Status'), '13')


@test
def limits_name_the_nearest_value(p):
    root = p.c.post('Sync', sync_xml(p, '', outer='<Wait>90</Wait>'))
    same(root.value('Limit'), '59')
    root = p.c.post('Sync', sync_xml(
        p, '', outer='<HeartbeatInterval>5</HeartbeatInterval>'))
    same(root.value('Limit'), '60')


@test
def keys_and_collections(p):
    c = p.c
    same(c.sync(p.inbox, '12345').value('Status'), '3')
    same(c.sync(p.inbox, 'nonsense').value('Status'), '3')
    same(c.sync('4711', '0').value('Status'), '8')
    same(c.sync('no-number', '0').value('Status'), '8')
    other = p.box.client(ALICE, device='NOFOLDERS1')
    same(other.sync(p.inbox, '0').value('Status'), '12')


@test
def only_the_two_newest_keys_are_good(p):
    c = p.fresh('KEYS1').c
    keys = [c.prime(p.inbox)]
    for i in range(3):
        p.box.inject(ALICE, RAW)
        keys.append(c.sync(p.inbox, keys[-1], window=512).value('SyncKey'))
    same(c.sync(p.inbox, keys[1]).value('Status'), '3')
    again = c.sync(p.inbox, keys[2])
    same(len(again.findall('Commands/Add')), 1)
    same(again.value('Status'), '1')


def responses(c, folder, key, commands, kind):
    answer = c.sync(folder, key, get=0, commands=commands)
    one = answer.find('Responses/' + kind)
    return answer.value('SyncKey'), None if one is None else one.value('Status')


@test
def changes_that_are_not_allowed(p):
    c = p.fresh('CHANGES1').c
    key, _ = c.all(p.inbox)
    change = ('<Change><ServerId>%s</ServerId><ApplicationData>%s'
              '</ApplicationData></Change>')
    flag = '<email:Flag>%s</email:Flag>'
    cases = [
        ('a subject', p.item, '<email:Subject>new</email:Subject>', '6'),
        ('Read 2', p.item, '<email:Read>2</email:Read>', '6'),
        ('Read twice', p.item, 2 * '<email:Read>1</email:Read>', '6'),
        ('nothing', p.item, '', '6'),
        ('flag status 3', p.item, flag % '<email:Status>3</email:Status>',
         '6'),
        ('flag without status', p.item,
         flag % '<email:FlagType>x</email:FlagType>', '6'),
        ('complete without dates', p.item,
         flag % '<email:Status>1</email:Status>', '6'),
        ('one date of four', p.item,
         flag % '<email:Status>2</email:Status><tasks:StartDate>'
         '2026-01-01T00:00:00.000Z</tasks:StartDate>', '6'),
        ('reminder without time', p.item,
         flag % '<email:Status>2</email:Status><tasks:ReminderSet>1'
         '</tasks:ReminderSet>', '6'),
        ('a category that is none', p.item,
         '<email:Categories><email:Subject>x</email:Subject>'
         '</email:Categories>', '6'),
        ('IsDraft', p.item, '<email2:IsDraft>1</email2:IsDraft>', '6'),
        ('no such item', '5:99999', '<email:Read>1</email:Read>', '8'),
        ('an item of another folder', '6:1', '<email:Read>1</email:Read>',
         '8'),
        ('no id at all', 'x', '<email:Read>1</email:Read>', '8'),
    ]
    bad = []
    for name, item, data, want in cases:
        key, got = responses(c, p.inbox, key, change % (item, data), 'Change')
        if got != want:
            bad.append('%s: got %s, want %s' % (name, got, want))
    key, got = responses(c, p.inbox, key, '<Delete><ServerId>5:99999'
                         '</ServerId></Delete>', 'Delete')
    same((bad, got), ([], '8'))
    assert ':2,' not in p.box.files(ALICE)[0] or \
        'S' not in p.box.files(ALICE)[0].split(':2,')[1]


@test
def no_mail_is_made_by_clients(p):
    add = ('<Add><ClientId>a1</ClientId><ApplicationData><email:Subject>x'
           '</email:Subject></ApplicationData></Add>')
    c = p.fresh('ADD1').c
    _, got = responses(c, p.inbox, c.prime(p.inbox), add, 'Add')
    same(got, '6')
    old = p.box.client(ALICE, version='14.1', device='ADD2')
    old.folders()
    _, got = responses(old, p.drafts, old.prime(p.drafts), add, 'Add')
    same(got, '6')
    same(p.box.files(ALICE, 'Drafts'), [])


@test
def elements_of_a_later_version(p):
    old = p.box.client(ALICE, version='14.1', device='LATER1')
    old.folders()
    key = old.prime(p.drafts)
    root = old.sync(p.drafts, key, commands='<Add><ClientId>a</ClientId>'
                    '<ApplicationData/><email2:Send/></Add>')
    same(root.value('Status'), '4')
    oldest = p.box.client(ALICE, version='14.0', device='LATER2')
    root = oldest.post('Provision', PROVISION % INFORMATION)
    same(root.value('Status'), '2')


INFORMATION = ('<settings:DeviceInformation><settings:Set><settings:Model>m'
               '</settings:Model></settings:Set></settings:DeviceInformation>')
PROVISION = ('<Provision>%s<Policies><Policy><PolicyType>'
             'MS-EAS-Provisioning-WBXML</PolicyType></Policy></Policies>'
             '</Provision>')


@test
def provision(p):
    roots([
        ('no DeviceInformation', PROVISION % '', '165'),
        ('nothing', '<Provision/>', '2'),
        ('a key without status', PROVISION.replace(
            '</PolicyType>', '</PolicyType><PolicyKey>1</PolicyKey>') % '',
         '2'),
        ('key before type', '<Provision><Policies><Policy><PolicyKey>1'
         '</PolicyKey><PolicyType>MS-EAS-Provisioning-WBXML</PolicyType>'
         '<Status>1</Status></Policy></Policies></Provision>', '2'),
    ], 'Provision', p)
    root = p.c.post('Provision', (PROVISION % INFORMATION).replace(
        'MS-EAS-Provisioning-WBXML', 'MS-WAP-Provisioning-XML'))
    same(root.value('Policies/Policy/Status'), '3')


@test
def folders(p):
    create = ('<FolderCreate><SyncKey>%s</SyncKey><ParentId>%s</ParentId>'
              '<DisplayName>%s</DisplayName><Type>%s</Type></FolderCreate>')
    update = ('<FolderUpdate><SyncKey>%s</SyncKey><ServerId>%s</ServerId>'
              '<ParentId>%s</ParentId><DisplayName>%s</DisplayName>'
              '</FolderUpdate>')
    delete = ('<FolderDelete><SyncKey>%s</SyncKey><ServerId>%s</ServerId>'
              '</FolderDelete>')
    key = p.c.folder_key
    roots([('a wrong key', '<FolderSync><SyncKey>99</SyncKey></FolderSync>',
            '9'),
           ('no key', '<FolderSync/>', '10')], 'FolderSync', p)
    roots([
        ('a wrong key', create % ('7', 0, 'x', 12), '9'),
        ('the name exists', create % (key, 0, 'INBOX', 12), '2'),
        ('no such parent', create % (key, 99, 'x', 12), '5'),
        ('a second inbox', create % (key, 0, 'x', 2), '10'),
        ('no name', create % (key, 0, '', 12), '10'),
        ('no type', '<FolderCreate><SyncKey>%s</SyncKey><ParentId>0</ParentId>'
         '<DisplayName>x</DisplayName></FolderCreate>' % key, '10'),
    ], 'FolderCreate', p)
    roots([
        ('a special folder', update % (key, p.inbox, 0, 'x'), '2'),
        ('no such folder', update % (key, 99, 0, 'x'), '4'),
        ('no new name', '<FolderUpdate><SyncKey>%s</SyncKey><ServerId>%s'
         '</ServerId><ParentId>0</ParentId></FolderUpdate>' % (key, p.inbox),
         '10'),
    ], 'FolderUpdate', p)
    roots([
        ('a special folder', delete % (key, p.inbox), '3'),
        ('no such folder', delete % (key, 99), '4'),
        ('a wrong key', delete % ('7', 99), '9'),
    ], 'FolderDelete', p)


@test
def ping(p):
    folder = '<Folder><Id>%s</Id><Class>Email</Class></Folder>'
    xml = ('<Ping><HeartbeatInterval>%d</HeartbeatInterval><Folders>%s'
           '</Folders></Ping>')
    same(p.fresh('PING1').c.post('Ping').value('Status'), '3')
    roots([
        ('only folders', '<Ping><Folders>%s</Folders></Ping>'
         % (folder % p.inbox), '3'),
        ('only an interval', '<Ping><HeartbeatInterval>60'
         '</HeartbeatInterval></Ping>', '3'),
        ('too short', xml % (59, folder % p.inbox), '5'),
        ('too long', xml % (3541, folder % p.inbox), '5'),
        ('too many', xml % (60, 201 * (folder % p.inbox)), '6'),
        ('no Class', xml % (60, '<Folder><Id>5</Id></Folder>'), '4'),
        ('no such folder', xml % (60, folder % 99), '7'),
    ], 'Ping', p.fresh('PING2'))
    root = p.c.post('Ping', xml % (5, folder % p.inbox))
    same(root.value('HeartbeatInterval'), '60')
    never = p.fresh('PING3')
    root = never.c.post('Ping', xml % (60, folder % p.inbox))
    same((root.value('Status'), root.value('Folders/Folder')),
         ('2', p.inbox))


@test
def item_operations(p):
    def fetch(inner):
        return ('<ItemOperations><Fetch><Store>Mailbox</Store>%s</Fetch>'
                '</ItemOperations>' % inner)
    ids = ('<airsync:CollectionId>%s</airsync:CollectionId>'
           '<airsync:ServerId>%s</airsync:ServerId>')
    roots([
        ('nothing', '<ItemOperations/>', '2'),
        ('no store', '<ItemOperations><Fetch/></ItemOperations>', '2'),
        ('another store', fetch('').replace('Mailbox', 'Moon'), '9'),
        ('101 operations', '<ItemOperations>%s</ItemOperations>'
         % (101 * fetch('')[16:-17]), '11'),
    ], 'ItemOperations', p)
    reference = '<base:FileReference>%s</base:FileReference>'
    roots([
        ('by nothing', fetch(''), '2'),
        ('no collection', fetch('<airsync:ServerId>5:1</airsync:ServerId>'),
         '2'),
        ('both ways', fetch(ids % (p.inbox, p.item) + reference % 'x'), '2'),
        ('no such item', fetch(ids % (p.inbox, '5:9999')), '6'),
        ('the wrong collection', fetch(ids % (p.drafts, p.item)), '6'),
        ('a range of an item', fetch(ids % (p.inbox, p.item) +
                                     '<Options><Range>0-5</Range></Options>'),
         '2'),
        ('an empty reference', fetch(reference % ''), '15'),
        ('a reference of nothing', fetch(reference % '5%3a1%3a9'), '15'),
    ], 'ItemOperations', p, 'Response/Fetch/Status')
    roots([('no MoveAlways', '<ItemOperations><Move><ConversationId '
            'code="base64">AAAA</ConversationId><DstFldId>7</DstFldId></Move>'
            '</ItemOperations>', '155')],
          'ItemOperations', p, 'Response/Move/Status')


@test
def move_items(p):
    xml = ('<MoveItems><Move><SrcMsgId>%s</SrcMsgId><SrcFldId>%s</SrcFldId>'
           '<DstFldId>%s</DstFldId></Move></MoveItems>')
    roots([
        ('no such item', xml % ('5:9999', p.inbox, p.drafts), '1'),
        ('the wrong source', xml % (p.item, p.drafts, p.inbox), '1'),
        ('no such destination', xml % (p.item, p.inbox, 99), '2'),
        ('the same folder', xml % (p.item, p.inbox, p.inbox), '4'),
    ], 'MoveItems', p, 'Response/Status')
    roots([('nothing', '<MoveItems/>', '103'),
           ('no destination', '<MoveItems><Move><SrcMsgId>1</SrcMsgId>'
            '<SrcFldId>5</SrcFldId></Move></MoveItems>', '103')],
          'MoveItems', p)


@test
def sending(p):
    before = len(p.box.files(ALICE, 'Sent'))
    c = p.c
    same(c.send(b'no header at all', 's1'), '107')
    same(c.send(b'From: alice@example.test\r\nSubject: x\r\n\r\nx\r\n', 's2'),
         '119')
    same(c.send(b'To: nonsense\r\n\r\nx\r\n', 's3'), '116')
    same(c.send(RAW, 'x' * 41), '103')
    roots([
        ('no ClientId', '<SendMail><Mime>To: a@b.test</Mime></SendMail>',
         '103'),
        ('no Mime', '<SendMail><ClientId>1</ClientId></SendMail>', '103'),
        ('an account', '<SendMail><ClientId>1</ClientId><AccountId>x'
         '</AccountId><Mime>To: a@b.test</Mime></SendMail>', '166'),
    ], 'SendMail', p)
    smart = ('<SmartReply><ClientId>%s</ClientId><Source>%s</Source>%s'
             '<Mime code="base64">%s</Mime></SmartReply>')
    source = '<FolderId>%s</FolderId><ItemId>%s</ItemId>'
    mime = wbxml.opaque(RAW)
    roots([
        ('both ways', smart % ('r1', source % (p.inbox, p.item) +
                               '<LongId>x</LongId>', '', mime), '105'),
        ('no such item', smart % ('r2', source % (p.inbox, '5:999'), '',
                                  mime), '150'),
        ('the server shall compose', smart % (
            'r3', source % (p.inbox, p.item), '', mime), '121'),
    ], 'SmartReply', p)
    same(len(p.box.files(ALICE, 'Sent')), before)


@test
def resolving(p):
    xml = '<ResolveRecipients>%s<Options>%s</Options></ResolveRecipients>'
    roots([
        ('nobody', '<ResolveRecipients/>', '5'),
        ('101 addresses', xml % (101 * '<To>a</To>', ''), '5'),
        ('too long', xml % ('<To>%s</To>' % ('a' * 257), ''), '5'),
        ('retrieval 4', xml % ('<To>a</To>', '<CertificateRetrieval>4'
                               '</CertificateRetrieval>'), '5'),
        ('MaxCertificates 10000', xml % ('<To>a</To>', '<MaxCertificates>'
                                         '10000</MaxCertificates>'), '5'),
    ], 'ResolveRecipients', p)


@test
def estimates(p):
    xml = ('<GetItemEstimate><Collections><Collection><airsync:SyncKey>%s'
           '</airsync:SyncKey><CollectionId>%s</CollectionId>%s</Collection>'
           '</Collections></GetItemEstimate>')
    roots([
        ('no such collection', xml % (1, 99, ''), '2'),
        ('key 0', xml % (0, p.inbox, ''), '3'),
        ('a wrong key', xml % (17, p.inbox, ''), '4'),
    ], 'GetItemEstimate', p, 'Response/Status')
    roots([('order', '<GetItemEstimate><Collections><Collection>'
            '<CollectionId>5</CollectionId><airsync:SyncKey>1'
            '</airsync:SyncKey></Collection></Collections></GetItemEstimate>',
            '103')], 'GetItemEstimate', p)


@test
def transport(p):
    c = p.box.client(ALICE, device='WIRE1')
    good = wbxml.encode('<FolderSync><SyncKey>0</SyncKey></FolderSync>')

    def inner(body=good, **more):
        c.raw('FolderSync', body, **more)
        return (c.http, wbxml.decode(c.body).value('Status')
                if c.http == 200 and c.body else None)
    same(inner(), (200, '1'))
    same(inner(b'not wbxml'), (200, '102'))
    same(inner(good[:-2]), (200, '102'))
    same(inner(good + b'x'), (200, '102'))
    same(inner(b''), (200, '103'))
    same(inner(wbxml.encode('<Ping/>')), (200, '103'))
    same(inner(headers={'Content-Type': 'text/xml'}), (200, '101'))
    same(inner(DeviceId='with-dash'), (200, '108'))
    same(inner(DeviceId='a' * 33), (200, '108'))
    same(inner(DeviceId=None), (200, '108'))
    same(inner(DeviceType=None), (200, '109'))
    same(inner(Cmd='Dance'), (501, None))
    same(inner(Cmd=None), (400, None))
    same(inner(User=BOB), (403, None))
    same(inner(headers={'MS-ASProtocolVersion': None}), (400, None))
    same(inner(headers={'MS-ASProtocolVersion': '12.1'}), (400, None))
    c.password = 'wrong'
    same(inner(), (401, None))
    same(inner(headers={'Authorization': None}), (401, None))
    assert 'Basic' in c.headers['WWW-Authenticate']
    c.request('GET', c.url.path)
    same(c.http, 501)
    c.request('POST', '/elsewhere')
    same(c.http, 404)
    c.request('POST', c.url.path + '?AAAA', headers={
        'Authorization': p.c.basic()})
    same(c.http, 400)


@test
def what_is_not_served_says_so(p):
    same(p.c.post('MeetingResponse', '<MeetingResponse/>').value('Status'),
         '137')
    same(p.c.post('Search', '<Search/>').value('Status'), '2')
    same(p.c.post('Find', '<Find/>').value('Status'), '2')
    old = p.box.client(ALICE, version='14.1', device='NOTSERVED1')
    same(old.post('Find', '<Find/>').value('Status'), '138')
    same(p.c.post('Settings', '<Settings/>').value('Status'), '2')


if __name__ == '__main__':
    with Sandbox(USERS) as sandbox:
        failed = test.run(Place(sandbox))
        status = sandbox.stop()
    sys.exit(failed or status)
