"""Test keys and certificates, and openssl as the judge.

The keys are those of tests/data/smime/generated/pki (tests/tools/mkpki made
them); with LAB_PKI=fresh a new set is made for this run.
"""
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


class Pki:
    def __init__(self, scratch):
        self.scratch = scratch
        self.dir = os.path.join(TOP, 'tests/data/smime/generated/pki')
        if os.environ.get('LAB_PKI') == 'fresh':
            self.dir = os.path.join(scratch, 'pki')
            subprocess.run(['bash', os.path.join(TOP, 'tests/tools/mkpki'),
                            self.dir], check=True, stdout=subprocess.DEVNULL)
        self.anchor = self.path('root/ca.crt')
        with open(self.path('pfx/password')) as f:
            self.password = f.read().strip()

    def path(self, name):
        return os.path.join(self.dir, name)

    def cert(self, name):
        return self.path('certs/%s.crt' % name)

    def key(self, name):
        return self.path('keys/%s.key' % name)

    def pfx(self, name):
        return self.path('pfx/%s.p12' % name)

    def pem(self, name):
        with open(self.cert(name)) as f:
            return f.read()

    def _openssl(self, args, data, ok=True):
        p = subprocess.run(['openssl'] + args, input=data,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if ok and p.returncode:
            raise RuntimeError('openssl %s: %s' % (
                ' '.join(args[:6]), p.stderr.decode(errors='replace')))
        return p

    def sign(self, name, entity, opaque=False):
        """A MIME entity (header lines and body), CRLF, signed."""
        args = ['cms', '-sign', '-signer', self.cert(name), '-inkey',
                self.key(name), '-certfile', self.path('chain.pem'),
                '-md', 'sha256', '-crlfeol', '-binary']
        if opaque:
            args.append('-nodetach')
        return self._clean(self._openssl(args, entity).stdout)

    def encrypt(self, names, entity):
        args = ['cms', '-encrypt', '-aes256', '-binary', '-crlfeol']
        args += [self.cert(n) for n in names]
        return self._clean(self._openssl(args, entity).stdout)

    @staticmethod
    def _clean(entity):
        """CRLF line ends, whatever openssl wrote."""
        return entity.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')

    def decrypt(self, name, message):
        """What is inside an encrypted message; raises when it is not one."""
        return self._openssl(
            ['cms', '-decrypt', '-recip', self.cert(name), '-inkey',
             self.key(name)], message).stdout

    def verify(self, message, signer_out=None):
        """The signed entity. Raises unless signature and chain hold."""
        args = ['cms', '-verify', '-CAfile', self.anchor, '-purpose', 'any']
        if signer_out:
            args += ['-signer', signer_out]
        return self._openssl(args, message).stdout

    def verifies(self, message):
        return self._openssl(['cms', '-verify', '-CAfile', self.anchor,
                              '-purpose', 'any'], message,
                             ok=False).returncode == 0

    def signer(self, message):
        """Mail addresses in the certificate that signed."""
        with tempfile.NamedTemporaryFile(dir=self.scratch) as f:
            self.verify(message, f.name)
            return self._openssl(['x509', '-noout', '-email', '-in', f.name],
                                 None).stdout.decode().split()

    def recipients(self, message):
        """Serial numbers named in the RecipientInfos, upper-case hex."""
        text = self._openssl(['cms', '-cmsout', '-print', '-noout'],
                             message).stdout.decode(errors='replace')
        out = set()
        for line in text.splitlines():
            word, _, value = line.strip().partition(':')
            if word == 'serialNumber':
                value = value.strip()
                if value.startswith('0x'):
                    value = value[2:]
                else:
                    value = '%X' % int(value)
                out.add(value.upper().lstrip('0'))
        return out

    def serial(self, name):
        text = self._openssl(['x509', '-noout', '-serial', '-in',
                              self.cert(name)], None).stdout.decode()
        return text.strip().partition('=')[2].upper().lstrip('0')
