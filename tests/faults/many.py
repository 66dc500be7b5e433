"""A lab with many accounts, so that many faults are waited for at once.

The accounts are written into the configuration directly: the upstream
password comes from a command, the local one is the same for all and cheap.
"""
import base64
import hashlib
import json
import os
import resource
import socket
import threading
import time

import servers
from lab import Lab
from servers import address

LOCAL = 'the-local-one'
ACCOUNT = '''
account "%(user)s" {
    address = '%(address)s'
    server = '%(url)s'
    user = '%(address)s'
    ca_file = '%(ca)s'
    password_command = 'echo %(password)s'
    local_password = '%(hash)s'
%(settings)s}
'''
# Trouble is waited for that many times shorter (base/fault.h).
HURRY = {'SEALPOST_FAULT_HURRY': '60'}


def cheap_hash(password):
    salt = b'0123456789abcdef'
    got = hashlib.scrypt(password.encode(), salt=salt, n=2 ** 10, r=8, p=1,
                         dklen=32)

    def code(b):
        return base64.b64encode(b).decode().rstrip('=')
    return '$scrypt$ln=10,r=8,p=1$%s$%s' % (code(salt), code(got))


class Many(Lab):
    def __init__(self, name, backend='sandbox', settings=''):
        super().__init__(name, backend, settings)
        with open(self.conf) as f:
            text = f.read()
        with open(self.conf, 'w') as f:
            f.write(text.replace('sync_interval = 10s', 'sync_interval = 1h')
                    .replace('submit_wait = 10s', 'submit_wait = 4s'))
        resource.setrlimit(resource.RLIMIT_NOFILE, (
            8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        self.lock = threading.Lock()
        self.seen_at, self.seen = 0, {}

    def add_accounts(self, users, settings=''):
        """The server runs already."""
        hashed = cheap_hash(LOCAL)
        with open(self.conf, 'a') as f:
            for user in users:
                self.passwords[user] = LOCAL
                f.write(ACCOUNT % {
                    'user': user, 'address': address(user),
                    'url': self.server.url, 'ca': self.server.ca,
                    'password': self.server.password(user), 'hash': hashed,
                    'settings': settings})

    def ask(self, command, **arguments):
        """A command of the control socket, without a program."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        try:
            s.connect(os.path.join(self.dir, 'control'))
            s.sendall(json.dumps(dict(arguments, command=command)).encode()
                      + b'\n')
            data = b''
            while not data.endswith(b'\n'):
                got = s.recv(1 << 16)
                if not got:
                    raise ConnectionResetError('the daemon ended')
                data += got
        finally:
            s.close()
        told = json.loads(data)
        if not told['ok']:
            raise RuntimeError('%s: %s' % (command, told['error']))
        return told['result']

    def account_status(self, user):
        """Not older than a tenth of a second; one asks for all."""
        with self.lock:
            if time.monotonic() - self.seen_at > 0.1:
                self.seen = {a['name']: a
                             for a in self.ask('status')['accounts']}
                self.seen_at = time.monotonic()
            return self.seen[user]

    def account_now(self, user):
        with self.lock:
            self.seen_at = 0
        return self.account_status(user)


