"""A small, strict IMAP client for the tests.

Unlike imaplib it keeps untagged data in the order in which it came, parses
it, knows IDLE, and refuses anything that RFC 3501's grammar does not allow
where it reads it. (imaplib itself is one of the clients of tests/interop.)
"""
import re
import select
import socket
import ssl
import time

ATOM_END = b' ()\r\n"{'


class ImapError(Exception):
    """A tagged NO or BAD, or BYE."""

    def __init__(self, command, status, text):
        super().__init__('%s -> %s %s' % (command, status, text))
        self.status = status
        self.text = text

    @property
    def code(self):
        m = re.match(r'\[([^\] ]+)', self.text)
        return m.group(1) if m else ''


class Response:
    """One untagged response: a list of tokens, and its first word."""

    def __init__(self, tokens):
        self.tokens = tokens
        number = len(tokens) > 1 and tokens[0].isdigit() \
            if tokens and isinstance(tokens[0], str) else False
        self.number = int(tokens[0]) if number else None
        self.word = str(tokens[1 if number else 0]).upper() if tokens else ''
        self.data = tokens[2 if number else 1:]

    def __repr__(self):
        return 'Response(%r)' % (self.tokens,)


def quote(text):
    return '"%s"' % text.replace('\\', '\\\\').replace('"', '\\"')


class Imap:
    def __init__(self, address, timeout=30, tls=None):
        self.timeout = timeout
        self.sock = socket.create_connection(address, timeout)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname='localhost')
        self.buffer = b''
        self.tag = 0
        self.untagged = []
        greeting = self._line()
        if greeting[0] != b'*' or not greeting[1].startswith(b'OK'):
            raise ImapError('greeting', 'BYE', repr(greeting))
        self.greeting = greeting[1].decode()

    # ---- bytes ----

    def _fill(self, timeout=None):
        self.sock.settimeout(timeout or self.timeout)
        got = self.sock.recv(1 << 18)
        if not got:
            raise ConnectionResetError('the IMAP server closed the connection')
        self.buffer += got

    def _until_crlf(self):
        at = self.buffer.find(b'\r\n')
        while at < 0:
            seen = max(0, len(self.buffer) - 1)
            self._fill()
            at = self.buffer.find(b'\r\n', seen)
        line, self.buffer = self.buffer[:at], self.buffer[at + 2:]
        if b'\n' in line or b'\r' in line or b'\0' in line:
            raise ValueError('stray line end or NUL in %r' % line[:200])
        return line

    def _exactly(self, n):
        parts, have = [self.buffer], len(self.buffer)
        while have < n:
            self.buffer = b''
            self._fill()
            parts.append(self.buffer)
            have += len(self.buffer)
        whole = b''.join(parts)
        self.buffer = whole[n:]
        return whole[:n]

    def _line(self):
        """One response line with its literals: [tag, text, literal, text...]"""
        text = self._until_crlf()
        tag, _, rest = text.partition(b' ')
        out = [tag, rest]
        while True:
            m = re.search(rb'\{(\d+)\}$', out[-1])
            if not m:
                return out
            out[-1] = out[-1][:m.start()]
            out.append(self._exactly(int(m.group(1))))
            out.append(self._until_crlf())

    # ---- tokens ----

    @staticmethod
    def parse(parts):
        """[text, literal, text, ...] to nested lists of str (atoms), bytes
        (strings) and None (NIL)."""
        stack = [[]]
        for i, part in enumerate(parts):
            if i % 2:
                stack[-1].append(part)
                continue
            pos = 0
            while pos < len(part):
                c = part[pos:pos + 1]
                if c == b' ':
                    pos += 1
                elif c == b'(':
                    stack.append([])
                    pos += 1
                elif c == b')':
                    if len(stack) < 2:
                        raise ValueError('unbalanced ) in %r' % part[:300])
                    done = stack.pop()
                    stack[-1].append(done)
                    pos += 1
                elif c == b'"':
                    m = re.compile(rb'"((?:[^"\\]|\\["\\])*)"').match(part, pos)
                    if not m:
                        raise ValueError('bad string in %r' % part[pos:pos + 90])
                    stack[-1].append(re.sub(rb'\\(.)', rb'\1', m.group(1)))
                    pos = m.end()
                else:
                    # An atom; a section like BODY[HEADER.FIELDS (X)] is one.
                    end, deep = pos, 0
                    while end < len(part):
                        ch = part[end:end + 1]
                        if ch == b'[':
                            deep += 1
                        elif ch == b']':
                            deep -= 1
                        elif not deep and ch in b' ()"':
                            break
                        end += 1
                    atom = part[pos:end].decode('ascii')
                    stack[-1].append(None if atom.upper() == 'NIL' else atom)
                    pos = end
        if len(stack) != 1:
            raise ValueError('unbalanced ( in %r' % (parts[0][:300],))
        return stack[0]

    def _response(self, parts):
        first = parts[1].split(b' ', 1)[0].upper()
        if first in (b'OK', b'NO', b'BAD', b'BYE', b'PREAUTH'):
            return Response([first.decode(),
                             parts[1][len(first) + 1:].decode()])
        return Response(self.parse(parts[1:]))

    # ---- commands ----

    def send(self, data):
        self.sock.settimeout(self.timeout)
        self.sock.sendall(data)

    def start(self, command):
        self.tag += 1
        tag = b'a%d' % self.tag
        self.send(tag + b' ' + command.encode() + b'\r\n')
        return tag

    def finish(self, tag, command):
        """Reads to the tagged answer; its text and the untagged before."""
        got = []
        while True:
            parts = self._line()
            if parts[0] == b'*':
                r = self._response(parts)
                if r.word == 'BYE' and command.upper() != 'LOGOUT':
                    raise ImapError(command, 'BYE', r.tokens[1])
                got.append(r)
                continue
            if parts[0] != tag:
                raise ValueError('answer to %r while waiting for %r: %r'
                                 % (parts[0], tag, parts[1][:200]))
            status, _, text = parts[1].decode().partition(' ')
            self.untagged += got
            if status != 'OK':
                raise ImapError(command[:120], status, text)
            return text, got

    def command(self, command, shown=None):
        return self.finish(self.start(command), shown or command)

    def starttls(self, context):
        self.command('STARTTLS')
        if self.buffer:
            raise ValueError('bytes behind STARTTLS')
        self.sock = context.wrap_socket(self.sock, server_hostname='localhost')

    def login(self, user, password):
        self.command('LOGIN %s %s' % (quote(user), quote(password)),
                     'LOGIN %s' % user)

    def capability(self):
        _, got = self.command('CAPABILITY')
        return [r for r in got if r.word == 'CAPABILITY'][0].data

    def folders(self, reference='', pattern='*'):
        """name -> set of attributes"""
        _, got = self.command('LIST %s %s' % (quote(reference),
                                              quote(pattern)))
        out = {}
        for r in got:
            if r.word == 'LIST':
                name = r.data[2]
                if isinstance(name, bytes):
                    name = name.decode()
                out[name] = set(r.data[0])
        return out

    def select(self, folder, readonly=False):
        """EXISTS, UIDVALIDITY, UIDNEXT and so on as a dict."""
        text, got = self.command('%s %s' % ('EXAMINE' if readonly else
                                            'SELECT', quote(folder)))
        out = {'text': text}
        for r in got:
            if r.word in ('EXISTS', 'RECENT'):
                out[r.word] = r.number
            elif r.word == 'OK':
                m = re.match(r'\[(\w+) (\d+)\]', r.tokens[1])
                if m:
                    out[m.group(1)] = int(m.group(2))
        return out

    @staticmethod
    def fetched(responses):
        """FETCH responses as dicts, in order; later items win."""
        out = []
        for r in responses:
            if r.word != 'FETCH':
                continue
            items = r.data[0]
            if len(items) % 2:
                raise ValueError('odd FETCH list %r' % (items,))
            d = {'SEQ': r.number}
            for key, value in zip(items[::2], items[1::2]):
                key = key.upper()
                if key in ('UID', 'RFC822.SIZE'):
                    value = int(value)
                elif key == 'FLAGS':
                    value = set(value)
                elif key == 'INTERNALDATE':
                    value = value.decode()
                elif isinstance(value, str) and key.startswith('BODY['):
                    raise ValueError('%s is an atom: %r' % (key, value))
                d[key] = value
            out.append(d)
        return out

    def uid_fetch(self, which, items='(UID FLAGS INTERNALDATE RFC822.SIZE)'):
        """uid -> dict"""
        _, got = self.command('UID FETCH %s %s' % (which, items))
        out = {}
        for d in self.fetched(got):
            if 'UID' not in d:
                continue
            out.setdefault(d['UID'], {}).update(d)
        return out

    def all(self, items='(UID FLAGS INTERNALDATE RFC822.SIZE)'):
        return self.uid_fetch('1:*', items)

    def body(self, uid, section=''):
        got = self.uid_fetch(uid, '(UID BODY.PEEK[%s])' % section)
        return got[uid]['BODY[%s]' % section.upper()]

    def search(self, criteria):
        _, got = self.command('UID SEARCH ' + criteria)
        out = []
        for r in got:
            if r.word == 'SEARCH':
                out += [int(x) for x in r.data]
        return out

    def store(self, which, how, flags):
        _, got = self.command('UID STORE %s %sFLAGS (%s)'
                              % (which, how, ' '.join(flags)))
        return self.fetched(got)

    def move(self, which, folder):
        """[COPYUID ...]: source uid -> target uid"""
        text, got = self.command('UID MOVE %s %s' % (which, quote(folder)))
        texts = [text] + [r.tokens[1] for r in got if r.word == 'OK']
        for t in texts:
            m = re.search(r'\[COPYUID (\d+) (\S+) ([^\]\s]+)\]', t)
            if m:
                return dict(zip(numbers(m.group(2)), numbers(m.group(3))))
        raise ValueError('MOVE without COPYUID: %r' % texts)

    def status(self, folder, items='(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)'):
        _, got = self.command('STATUS %s %s' % (quote(folder), items))
        for r in got:
            if r.word == 'STATUS':
                pairs = r.data[1]
                return {k.upper(): int(v)
                        for k, v in zip(pairs[::2], pairs[1::2])}
        raise ValueError('STATUS without STATUS')

    def append(self, folder, message, flags=(), date=None):
        self.tag += 1
        tag = b'a%d' % self.tag
        head = '%s APPEND %s %s%s{%d+}\r\n' % (
            tag.decode(), quote(folder),
            '(%s) ' % ' '.join(flags) if flags else '',
            quote(date) + ' ' if date else '', len(message))
        self.send(head.encode() + message + b'\r\n')
        return self.finish(tag, 'APPEND ' + folder)

    # ---- IDLE ----

    def idle(self):
        self.idle_tag = self.start('IDLE')
        while True:
            parts = self._line()
            if parts[0] == b'+':
                return
            if parts[0] != b'*':
                raise ImapError('IDLE', parts[1].split()[0].decode(),
                                parts[1].decode())
            self.untagged.append(self._response(parts))

    def idle_wait(self, wanted, timeout):
        """Responses until wanted(response) says yes; None when the time is
        over."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            pending = isinstance(self.sock, ssl.SSLSocket) \
                and self.sock.pending()
            if b'\r\n' not in self.buffer and not pending:
                if left <= 0 or not select.select([self.sock], [], [],
                                                  left)[0]:
                    return None
            r = self._response(self._line())
            self.untagged.append(r)
            if r.word == 'BYE':
                raise ImapError('IDLE', 'BYE', r.tokens[1])
            if wanted(r):
                return r

    def done(self):
        self.send(b'DONE\r\n')
        return self.finish(self.idle_tag, 'IDLE')

    def logout(self):
        try:
            self.command('LOGOUT')
        finally:
            self.close()

    def close(self):
        self.sock.close()


def numbers(text):
    """"3,5:7" as a list"""
    out = []
    for piece in text.split(','):
        a, _, b = piece.partition(':')
        out += range(int(a), int(b or a) + 1)
    return out
