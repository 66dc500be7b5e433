"""A small ActiveSync client for tests, and starting a sandbox.

    with Sandbox({'alice@example.test': 'secret-alice'}) as box:
        alice = box.client('alice@example.test')
        root = alice.post('FolderSync', '<FolderSync><SyncKey>0</SyncKey>'
                                        '</FolderSync>')
"""
import base64
import http.client
import json
import os
import shutil
import ssl
import struct
import subprocess
import tempfile
import urllib.parse

import wbxml

CODES = {'Sync': 0, 'SendMail': 1, 'SmartForward': 2, 'SmartReply': 3,
         'FolderSync': 9, 'FolderCreate': 10, 'FolderDelete': 11,
         'FolderUpdate': 12, 'MoveItems': 13, 'GetItemEstimate': 14,
         'MeetingResponse': 15, 'Search': 16, 'Settings': 17, 'Ping': 18,
         'ItemOperations': 19, 'Provision': 20, 'ResolveRecipients': 21,
         'ValidateCert': 22, 'Find': 23}


class Client:
    """One device. `http` and `headers` are of the last answer."""

    def __init__(self, url, ca, user, password, version='16.1',
                 device='TESTDEVICE1', kind='Test'):
        self.url = urllib.parse.urlsplit(url)
        self.ca, self.user, self.password = ca, user, password
        self.version, self.device, self.kind = version, device, kind
        self.policy = None
        self.packed = False     # base64 query
        self.http, self.headers, self.body = None, {}, b''
        self.parts = []
        self.connection = None

    def connect(self):
        context = ssl.create_default_context(cafile=self.ca)
        return http.client.HTTPSConnection(self.url.hostname, self.url.port,
                                           context=context, timeout=30)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, target, body=b'', headers=None):
        if self.connection is None:
            self.connection = self.connect()
        try:
            self.connection.request(method, target, body, headers or {})
            answer = self.connection.getresponse()
            self.body = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        self.http, self.headers = answer.status, dict(answer.getheaders())
        return self.body

    def basic(self):
        return 'Basic ' + base64.b64encode(
            ('%s:%s' % (self.user, self.password)).encode()).decode()

    def options(self):
        self.request('OPTIONS', self.url.path,
                     headers={'Authorization': self.basic()})
        return self.headers

    def target(self, command, **change):
        if not self.packed:
            query = {'Cmd': command, 'User': self.user,
                     'DeviceId': self.device, 'DeviceType': self.kind}
            query.update(change)
            return self.url.path + '?' + urllib.parse.urlencode(
                {k: v for k, v in query.items() if v is not None})
        def counted(data):
            return bytes([len(data)]) + data
        key = struct.pack('<I', int(self.policy)) if self.policy else b''
        raw = (bytes([int(float(self.version) * 10), CODES[command]]) +
               struct.pack('<H', 0x0409) + counted(self.device.encode()) +
               counted(key) + counted(self.kind.encode()) + b'\x08' +
               counted(self.user.encode()))
        return self.url.path + '?' + base64.b64encode(raw).decode()

    def raw(self, command, body, headers=None, **change):
        """Posts bytes; returns the answer's body."""
        send = {'Authorization': self.basic()}
        if not self.packed:
            send['MS-ASProtocolVersion'] = self.version
            if self.policy:
                send['X-MS-PolicyKey'] = str(self.policy)
        if body:
            send['Content-Type'] = 'application/vnd.ms-sync.wbxml'
        send.update(headers or {})
        send = {k: v for k, v in send.items() if v is not None}
        return self.request('POST', self.target(command, **change), body, send)

    def post(self, command, xml=None, headers=None, **change):
        """The answer's root element, None for an empty one."""
        body = self.raw(command, wbxml.encode(xml) if xml else b'', headers,
                        **change)
        self.parts = []
        if self.http != 200 or not body:
            return None
        if 'multipart' in self.headers.get('Content-Type', ''):
            count = struct.unpack_from('<I', body)[0]
            places = [struct.unpack_from('<II', body, 4 + 8 * i)
                      for i in range(count)]
            self.parts = [body[a:a + n] for a, n in places]
            body = self.parts[0]
        return wbxml.decode(body)

    # ---- the usual steps

    def folders(self, key='0'):
        """FolderSync: {DisplayName: ServerId}; the key is kept."""
        root = self.post('FolderSync', '<FolderSync><SyncKey>%s</SyncKey>'
                                       '</FolderSync>' % key)
        self.folder_key = root.value('SyncKey')
        return {a.value('DisplayName'): a.value('ServerId')
                for a in root.findall('Changes/Add')}

    def sync(self, folder, key, inner='', window=None, get=None, options='',
             commands='', outer=''):
        """One Sync of one collection: the Collection element, or None."""
        xml = ('<Sync><Collections><Collection><SyncKey>%s</SyncKey>'
               '<CollectionId>%s</CollectionId>%s%s%s%s%s</Collection>'
               '</Collections>%s</Sync>')
        root = self.post('Sync', xml % (
            key, folder, inner,
            '' if get is None else '<GetChanges>%s</GetChanges>' % get,
            '' if window is None else '<WindowSize>%d</WindowSize>' % window,
            options and '<Options>%s</Options>' % options,
            commands and '<Commands>%s</Commands>' % commands, outer))
        if root is None:
            return None
        one = root.find('Collections/Collection')
        return root if one is None else one

    def prime(self, folder):
        return self.sync(folder, '0').value('SyncKey')

    LIST = ('<FilterType>0</FilterType><base:BodyPreference><base:Type>4'
            '</base:Type><base:TruncationSize>0</base:TruncationSize>'
            '</base:BodyPreference><MIMESupport>2</MIMESupport>')

    def all(self, folder, key=None, window=100, options=LIST):
        """Syncs to the end: (key, {ServerId: ApplicationData})."""
        key = key or self.prime(folder)
        items = {}
        while True:
            answer = self.sync(folder, key, window=window, options=options)
            if answer is None:
                return key, items
            key = answer.value('SyncKey')
            for add in answer.findall('Commands/Add'):
                items[add.value('ServerId')] = add.find('ApplicationData')
            if answer.find('MoreAvailable') is None:
                return key, items

    def fetch(self, folder, server_id, multipart=False):
        """The MIME of a message, as bytes."""
        root = self.post(
            'ItemOperations',
            '<ItemOperations><Fetch><Store>Mailbox</Store>'
            '<airsync:CollectionId>%s</airsync:CollectionId>'
            '<airsync:ServerId>%s</airsync:ServerId><Options>'
            '<airsync:MIMESupport>2</airsync:MIMESupport>'
            '<base:BodyPreference><base:Type>4</base:Type>'
            '</base:BodyPreference></Options></Fetch></ItemOperations>'
            % (folder, server_id),
            {'MS-ASAcceptMultiPart': 'T'} if multipart else None)
        body = root.find('Response/Fetch/Properties/base:Body')
        if body is None:
            return None
        part = body.value('io:Part')
        if part:
            return self.parts[int(part)]
        return body.find('base:Data').bytes

    def send(self, mime, client_id, save=True):
        """None when it was accepted, else the Status."""
        root = self.post('SendMail',
                         '<SendMail><ClientId>%s</ClientId>%s'
                         '<Mime code="base64">%s</Mime></SendMail>'
                         % (client_id, '<SaveInSentItems/>' if save else '',
                            wbxml.opaque(mime)))
        return None if root is None else root.value('Status')


class Sandbox:
    """A running sealpost-sandbox with its directory; stopped at the end."""

    def __init__(self, users, root=None, args=(), program=None):
        self.users = users
        self.own = root is None
        self.root = root or tempfile.mkdtemp(prefix='sandbox-')
        self.args = list(args)
        self.program = program or os.path.join(
            os.environ.get('builddir', 'build'), 'sealpost-sandbox')
        self.process = None
        with open(os.path.join(self.root, 'users'), 'w') as f:
            for address, password in users.items():
                f.write('%s %s\n' % (address, password))

    def start(self):
        self.process = subprocess.Popen(
            [self.program, '--root', self.root] + self.args,
            stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError('sealpost-sandbox did not start: %s'
                               % self.process.wait())
        said = json.loads(line)
        self.url, self.admin, self.ca = said['url'], said['admin'], said['ca']
        return self

    def stop(self, kill=False):
        """The exit status."""
        if self.process is None:
            return None
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.process = None
        return status

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        if self.own:
            shutil.rmtree(self.root, ignore_errors=True)

    def client(self, user, **more):
        return Client(self.url, self.ca, user, self.users[user], **more)

    def ask(self, method, path, body=b'', headers=None):
        """The admin endpoint: (status, text)."""
        where = urllib.parse.urlsplit(self.admin)
        c = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        c.request(method, path, body, headers or {})
        answer = c.getresponse()
        text = answer.read().decode('utf-8', 'replace')
        c.close()
        return answer.status, text

    def inject(self, user, message, folder='INBOX', **headers):
        send = {'X-User': user, 'X-Folder': folder}
        send.update({'X-' + k.capitalize(): v for k, v in headers.items()})
        status, text = self.ask('POST', '/inject', message, send)
        if status != 200:
            raise RuntimeError('inject: %d %s' % (status, text))
        return json.loads(text)['id']

    def mischief(self, do, user='*', command='*', times=1, **more):
        more.update(user=user, command=command, do=do, times=times)
        status, text = self.ask('POST', '/mischief', json.dumps(more))
        if status != 200:
            raise RuntimeError('mischief: %d %s' % (status, text))

    def violations(self):
        return json.loads(self.ask('GET', '/violations')[1])

    def log(self):
        return [json.loads(line)
                for line in self.ask('GET', '/log')[1].splitlines()]

    def files(self, user, folder='INBOX'):
        """Paths of all messages in one of its Maildirs."""
        base = os.path.join(self.root, user, folder)
        return sorted(os.path.join(base, d, f) for d in ('cur', 'new')
                      for f in os.listdir(os.path.join(base, d)))
