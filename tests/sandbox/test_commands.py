"""The commands beside mail itself: Search, Find, ValidateCert, the absence note;
special folders under Exchange's names; an old copy of the state put back."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.environ['srcdir'], 'tests', 'lab'))
import tap                                              # noqa: E402
from easclient import Sandbox                           # noqa: E402
from tap import same                                    # noqa: E402

ALICE, BOB = 'alice@example.test', 'bob@example.test'
USERS = {ALICE: 'secret-alice', BOB: 'secret-bob'}
PKI = os.path.join(os.environ['srcdir'], 'tests/data/smime/generated/pki')
test = tap.Tests()


def mail(subject, body='x', sender=BOB):
    return ('From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\n%s\r\n'
            % (sender, ALICE, subject, body)).encode()


def ready(box, device, **more):
    c = box.client(ALICE, device=device, **more)
    c.list = c.folders()
    c.inbox = c.list['Inbox']
    return c


def search(c, query, options='<Range>0-9</Range>', name='Mailbox'):
    root = c.post('Search', '<Search><Store><Name>%s</Name><Query>%s</Query>'
                  '<Options>%s</Options></Store></Search>'
                  % (name, query, options))
    same(root.value('Status'), '1')
    return root.find('Response/Store')


def both(c, words, more='', **options):
    return search(c, '<And><airsync:Class>Email</airsync:Class>'
                  '<airsync:CollectionId>%s</airsync:CollectionId>'
                  '<FreeText>%s</FreeText>%s</And>' % (c.inbox, words, more),
                  **options)


def found(store):
    return [p.value('email:Subject')
            for p in store.findall('Result/Properties')]


@test
def search_finds_words_and_dates(box):
    c = ready(box, 'SEARCH1')
    for i, day in enumerate((10, 11, 12)):
        box.inject(ALICE, mail('budget %d' % i, 'about the Turbine'),
                   internaldate='%d Jan 2026 12:00:00 +0000' % day)
    box.inject(ALICE, mail('other'))
    same(found(both(c, 'budget')), ['budget 2', 'budget 1', 'budget 0'])
    same(len(found(both(c, 'turb'))), 3)
    same(found(both(c, 'urbine')), [])
    same(found(both(c, 'budget 1')), ['budget 1'])
    after = ('<GreaterThan><email:DateReceived/><Value>'
             '2026-01-11T00:00:00.000Z</Value></GreaterThan>')
    before = after.replace('Greater', 'Less').replace('-11T', '-12T')
    same(found(both(c, 'budget', after)), ['budget 2', 'budget 1'])
    same(found(both(c, 'budget', after + before)), ['budget 1'])
    store = both(c, 'budget', options='<Range>1-1</Range>')
    same((found(store), store.value('Range'), store.value('Total')),
         (['budget 1'], '1-1', '3'))
    same(both(c, 'budget', options='<Range>7-9</Range>').value('Status'), '12')
    same(both(c, 'budget', options='<Range>0-100</Range>').value('Status'),
         '12')
    same(both(c, 'nowhere').value('Total'), '0')
    same(search(c, '<Or><FreeText>x</FreeText></Or>').value('Status'), '8')
    same(both(c, 'x', '<email:From>b</email:From>').value('Status'), '2')


@test
def a_long_id_names_a_message(box):
    c = ready(box, 'LONG1')
    box.inject(ALICE, mail('longish'))
    which = both(c, 'longish').value('Result/LongId')
    root = c.post('ItemOperations', '<ItemOperations><Fetch><Store>Mailbox'
                  '</Store><search:LongId>%s</search:LongId><Options>'
                  '<airsync:MIMESupport>2</airsync:MIMESupport>'
                  '<base:BodyPreference><base:Type>4</base:Type>'
                  '</base:BodyPreference></Options></Fetch></ItemOperations>'
                  % which)
    same(root.find('Response/Fetch/Properties/base:Body/Data').bytes,
         mail('longish'))


def find(c, words, options='<Range>0-9</Range>', which='1', kind='MailBox'):
    query = ('<airsync:Class>Email</airsync:Class><airsync:CollectionId>%s'
             '</airsync:CollectionId><FreeText>%s</FreeText>'
             % (c.inbox, words)) if kind == 'MailBox' else words
    root = c.post('Find', '<Find><SearchId>%s</SearchId><ExecuteSearch>'
                  '<%sSearchCriterion><Query>%s</Query><Options>%s</Options>'
                  '</%sSearchCriterion></ExecuteSearch></Find>'
                  % (which, kind, query, options, kind))
    same(root.value('Status'), '1')
    return root.find('Response')


@test
def find_gives_ids_and_knows_fields(box):
    c = ready(box, 'FIND1')
    item = box.inject(ALICE, mail('plan A', sender='zoe@other.test'))
    box.inject(ALICE, mail('plan B'))
    got = find(c, 'from:zoe subject:&quot;plan&quot;')
    same((got.value('Result/airsync:ServerId'), got.value('Total')), (item, '1'))
    same(len(found(find(c, 'plan'))), 2)
    same(len(found(find(c, 'plan received&gt;=2001-01-01'))), 2)
    same(found(find(c, 'plan received&lt;=2001-01-01')), [])
    same(found(find(c, 'plan', '<Range>1-1</Range>', '1')), ['plan A'])
    same(find(c, 'plan', '<Range>1-1</Range>', '2').value('Status'), '4')
    old = ready(box, 'FIND2', version='16.0')
    same(old.post('Find', '<Find/>').value('Status'), '138')


@test
def people_are_found(box):
    c = ready(box, 'GAL1')
    got = search(c, 'bob', name='GAL')
    same([x.text for x in got.findall('Result/Properties/gal:EmailAddress')],
         [BOB])
    got = find(c, 'bob', kind='Gal')
    same([x.text for x in got.findall('Result/Properties/gal:EmailAddress')],
         [BOB])
    same(search(c, 'nobody', name='GAL').value('Total'), '0')


@test
def the_absence_note(box):
    c = ready(box, 'OOF1')
    get = '<Settings><Oof><Get><BodyType>TEXT</BodyType></Get></Oof></Settings>'
    same(c.post('Settings', get).value('Oof/Get/OofState'), '0')
    note = ('<OofMessage><AppliesTo%s/><Enabled>1</Enabled><ReplyMessage>%s'
            '</ReplyMessage><BodyType>TEXT</BodyType></OofMessage>')
    span = ('<StartTime>2026-08-01T00:00:00.000Z</StartTime>'
            '<EndTime>2026-08-15T00:00:00.000Z</EndTime>')

    def put(state, rest):
        return c.post('Settings', '<Settings><Oof><Set><OofState>%d</OofState>'
                      '%s</Set></Oof></Settings>' % (state, rest)).value(
                          'Oof/Status')
    text = 'Away.\nBack soon | or so.'
    same(put(2, span + note % ('Internal', text)), '1')
    box.stop()
    box.start()
    c = ready(box, 'OOF1')
    got = c.post('Settings', get).find('Oof/Get')
    same((got.value('OofState'), got.value('StartTime'),
          got.value('OofMessage/ReplyMessage')),
         ('2', '2026-08-01T00:00:00.000Z', text))
    same(put(2, note % ('Internal', 'x')), '5')
    same(put(1, note % ('ExternalKnown', 'a') +
             note % ('ExternalUnknown', 'b')), '6')
    same(put(7, ''), '2')
    same(put(0, ''), '1')
    same(c.post('Settings', get).value('Oof/Get/OofState'), '0')


def der(*path):
    with open(os.path.join(PKI, *path)) as f:
        text = f.read()
    return ''.join(text.split('-----BEGIN CERTIFICATE-----')[1].split(
        '-----END')[0].split())


@test
def certificates_are_judged(box):
    c = ready(box, 'CERT1')

    def judge(*names, check=0):
        root = c.post('ValidateCert', '<ValidateCert><CertificateChain>'
                      '<Certificate>%s</Certificate></CertificateChain>'
                      '<Certificates>%s</Certificates><CheckCRL>%d</CheckCRL>'
                      '</ValidateCert>' % (der('chain.pem'), ''.join(
                          '<Certificate>%s</Certificate>' % x for x in names),
                          check))
        same(root.value('Status'), '1')
        return [x.text for x in root.findall('Certificate/Status')]
    alice = der('certs', 'alice-sign.crt')
    same(judge(alice), ['4'])
    with open(os.path.join(box.root, 'trust.pem'), 'w') as f:
        for name in ('chain.pem', 'root/ca.crt'):
            with open(os.path.join(PKI, name)) as g:
                f.write(g.read())
    same(judge(alice, 'AAAA', der('certs', 'erin-expired.crt'),
               der('certs', 'mallory-rogue.crt')), ['1', '10', '7', '4'])
    same(judge(alice, check=1), ['16'])
    with open(os.path.join(box.root, 'crl.pem'), 'w') as f:
        for name in ('issuing', 'root'):
            with open(os.path.join(PKI, 'crl', name + '.crl.pem')) as g:
                f.write(g.read())
    same(judge(alice, der('certs', 'frank-revoked.crt'), check=1), ['1', '13'])


@test
def an_old_copy_of_the_state_is_a_restored_server(box):
    c = ready(box, 'BACK1')
    inbox = c.inbox
    box.ask('DELETE', '/violations')
    first = box.inject(ALICE, mail('before the copy'))
    old_key, before = c.all(inbox)
    box.stop()
    copy = box.root + '.copy'
    shutil.copytree(box.root, copy)
    box.start()
    c = box.client(ALICE, device='BACK1')
    later = box.inject(ALICE, mail('after the copy'))
    key, _ = c.all(inbox, old_key)
    box.stop()
    shutil.rmtree(box.root)
    shutil.move(copy, box.root)
    box.start()
    c = box.client(ALICE, device='BACK1')
    same(c.sync(inbox, key).value('Status'), '3')
    key, items = c.all(inbox)
    same(set(items), set(before))
    assert first in items and later not in items
    # What comes now has the id that was another's before.
    same(box.inject(ALICE, mail('new life')), later)
    same(box.violations(), [])


@test
def special_folders_as_at_exchange(box):
    with Sandbox(USERS, args=['--exchange-names']) as other:
        c = other.client(ALICE)
        names = c.folders()
        same(set(names), {'Inbox', 'Drafts', 'Sent Items', 'Deleted Items'})
        for folder in ('Deleted Items', 'Trash'):
            other.inject(ALICE, mail('x'), folder)
        same(len(other.files(ALICE, 'Trash')), 2)


if __name__ == '__main__':
    with Sandbox(USERS) as sandbox:
        failed = test.run(sandbox)
        failed = sandbox.stop() or failed
    sys.exit(failed)
