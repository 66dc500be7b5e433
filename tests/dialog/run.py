#!/usr/bin/python3
"""Plays dialogues against the real sealpostd and sealpost-sandbox.

    run.py DIRECTORY|FILE.dlg...      a TAP line for each dialogue

A dialogue is a text file. Its first comment is its title. Connections have a
name of letters and digits, which may be empty (C: S:, Cb: Sb:).

    %set NAME = VALUE       a global setting of the daemon
    %account NAME [N=V]...  an account; without such a line there is alice
    %fresh                  a daemon of its own; else dialogues with the same
                            settings and accounts share one
    O: smtp|smtps|imap|imaps  opens a connection
    T:                      the TLS handshake (after STARTTLS)
    C: text                 the client says this line, and CRLF
    R: text                 the same without CRLF, with \\r \\n \\t \\xHH \\\\;
    R*N: text               N times
    S: pattern              the next line of the server
    S>: pattern             some line of the server; those before it may be
                            anything
    S&: pattern             one of a set of lines, in any order (the lines
                            S& that stand together)
    Q: SECONDS              the server says nothing for so long
    E:                      the server closes
    X:                      the client closes
    ! order                 see below; lines "| text" after it go with it
    # anything              a comment

In a pattern ${*} is any text, ${#} a number, ${/re/} a regular expression,
${x=*} and ${x=#} keep what they match as x, and ${x} is what was kept. These
are there from the start: ${alice.password}; ${alice.plain}, the message of
SASL PLAIN in base64; ${64:text}, text in base64.

    ! inject USER [FOLDER]            new mail at the server: the | lines
    ! mischief USER|* COMMAND DO [N]  see sealpost-sandbox(1)
    ! clear                           no mischief any more
    ! count USER FOLDER +N            the server's folder has N more than when
                                      the dialogue began (waits for it)
    ! server stop|start               the sandbox
    ! ctl ARGUMENTS                   sealpostctl; the | lines are its stdin
    ! conf NAME = VALUE               changes the file's global setting
    ! hup                             SIGHUP to the daemon; waits for what
                                      came of it
    ! restart                         the daemon, connections go
    ! log WORDS                       a line of the daemon's log has them all
    ! nolog WORDS                     no line has them all
    ! sleep SECONDS

A failed dialogue prints what was said. Everything waits for ten seconds at
most.
"""
import base64
import glob
import os
import re
import shlex
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'e2e'))
from lab import Lab  # noqa: E402
from servers import until  # noqa: E402
import signal  # noqa: E402

WAIT = 10.0
LINE = re.compile(r'([A-Z])([a-z0-9]*)(\*[0-9]+|>|&)?:(?: (.*))?$')
FOLDERS = ('INBOX', 'Sent', 'Drafts', 'Trash')


class Failed(Exception):
    pass


class Script:
    def __init__(self, path):
        self.path = path
        self.name = os.path.relpath(path, HERE)
        self.title = ''
        self.sets, self.accounts, self.steps = [], [], []
        self.fresh = False
        with open(path, encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                self._line(number, line.rstrip('\n'))
        self.accounts = self.accounts or [['alice']]

    def _line(self, number, line):
        if not line.strip():
            return
        if line.startswith('#'):
            self.title = self.title or line[1:].strip()
        elif line.startswith('%set '):
            self.sets.append(line[5:])
        elif line.startswith('%account '):
            self.accounts.append(shlex.split(line[9:]))
        elif line.strip() == '%fresh':
            self.fresh = True
        elif line.startswith('|'):
            self.steps[-1][4].append(line[2:])
        elif line.startswith('! '):
            self.steps.append((number, '!', '', line[2:], []))
        else:
            m = LINE.match(line)
            if not m or m.group(1) not in 'OTCRSQEX':
                raise SystemExit('%s:%d: not understood: %s'
                                 % (self.path, number, line))
            self.steps.append((number, m.group(1) + (m.group(3) or ''),
                               m.group(2), m.group(4) or '', []))

    def lab_key(self):
        if self.fresh:
            return self.path
        return repr((self.sets, self.accounts))


# ---- patterns ----

class Words:
    """What is known by name, and patterns with it."""

    def __init__(self, known):
        self.known = dict(known)

    def fill(self, text):
        def one(m):
            name = m.group(1)
            if name.startswith('64:'):
                raw = name[3:].encode().decode('unicode_escape')
                return base64.b64encode(raw.encode('latin-1')).decode()
            if name not in self.known:
                raise Failed('${%s} is not known' % name)
            return self.known[name]
        return re.sub(r'\$\{([^}]*)\}', one, text)

    def match(self, pattern, line):
        out, keys = '', []
        for part in re.split(r'(\$\{(?:/.*?/|[^}]*)\})', pattern):
            if not part.startswith('${'):
                out += re.escape(part)
                continue
            name = part[2:-1]
            if name.startswith('/'):
                out += '(?:%s)' % name[1:-1]
            elif name in ('*', '#'):
                out += '.*' if name == '*' else '[0-9]+'
            elif name.endswith(('=*', '=#')):
                keys.append(name[:-2])
                out += '(.*)' if name.endswith('*') else '([0-9]+)'
            else:
                out += re.escape(self.fill(part))
        m = re.fullmatch(out, line)
        if m:
            self.known.update(zip(keys, m.groups()))
        return bool(m)


# ---- connections ----

class Line:
    """One connection, and what was said over it."""

    def __init__(self, name, lab, door, said):
        self.name, self.lab, self.said = name, lab, said
        self.sock = socket.create_connection(
            lab.address(door.rstrip('s') if door != 'smtps' else 'smtp',
                        door.endswith('s')), WAIT)
        self.data = b''
        if door.endswith('s'):
            self.tls()

    def tls(self):
        context = self.lab.tls_context()
        self.sock = context.wrap_socket(self.sock,
                                        server_hostname='localhost')

    def send(self, raw):
        text = raw.decode('utf-8', 'replace')
        self.said.append('C%s: %s' % (self.name, text if len(text) < 200
                                      else text[:200] + '...'))
        try:
            self.sock.sendall(raw)
        except OSError as e:
            raise Failed('cannot send: %s' % e)

    def _more(self, seconds):
        """More bytes; False at the end, None when nothing came."""
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return None
        except (ConnectionError, ssl.SSLError):
            return False
        self.data += got
        return bool(got)

    def line(self):
        end = time.monotonic() + WAIT
        while b'\n' not in self.data:
            left = end - time.monotonic()
            more = self._more(max(left, 0.01))
            if more is False:
                raise Failed('the server closed')
            if left <= 0:
                raise Failed('no answer')
        raw, _, self.data = self.data.partition(b'\n')
        if not raw.endswith(b'\r'):
            raise Failed('a line without CR: %r' % raw)
        text = raw[:-1].decode('utf-8', 'replace')
        self.said.append('S%s: %s' % (self.name, text))
        return text

    def quiet(self, seconds):
        if not self.data and self._more(seconds) is None:
            return
        raise Failed('not quiet: %r' % self.data if self.data
                     else 'the server closed')

    def closed(self):
        end = time.monotonic() + WAIT
        while not self.data and time.monotonic() < end:
            if self._more(0.5) is False:
                return
        raise Failed('still open: %r' % self.data)

    def close(self):
        self.sock.close()


# ---- playing ----

class Play:
    def __init__(self, lab, script):
        self.lab, self.script = lab, script
        self.lines, self.said = {}, []
        known = {}
        for user, password in lab.passwords.items():
            known[user + '.password'] = password
            known[user + '.plain'] = base64.b64encode(
                ('\0%s\0%s' % (user, password)).encode()).decode()
        self.words = Words(known)
        self.before = {(u, f): len(lab.server.items(u, f))
                       for u in lab.server.users for f in FOLDERS}

    def run(self):
        steps, i = self.script.steps, 0
        try:
            while i < len(steps):
                number, kind, name, text, more = steps[i]
                i += 1
                if kind == 'S&':
                    wanted = [text]
                    while i < len(steps) and steps[i][1:3] == ('S&', name):
                        wanted.append(steps[i][3])
                        i += 1
                    self.any_order(name, wanted)
                else:
                    self.step(kind, name, text, more)
        except Failed as e:
            raise Failed('%s:%d: %s' % (self.script.name, number, e))
        finally:
            for line in self.lines.values():
                line.close()

    def at(self, name):
        if name not in self.lines:
            raise Failed('connection "%s" is not open' % name)
        return self.lines[name]

    def step(self, kind, name, text, more):
        if kind == '!':
            self.order(text, more)
        elif kind == 'O':
            self.lines[name] = Line(name, self.lab, text.strip(), self.said)
        elif kind == 'T':
            self.at(name).tls()
        elif kind == 'C':
            self.at(name).send(self.words.fill(text).encode() + b'\r\n')
        elif kind[0] == 'R':
            raw = self.words.fill(text).encode().decode('unicode_escape')
            self.at(name).send(raw.encode('latin-1')
                               * int(kind[2:] or '1'))
        elif kind == 'S':
            got = self.at(name).line()
            if not self.words.match(text, got):
                raise Failed('wanted %r, got %r' % (text, got))
        elif kind == 'S>':
            while not self.words.match(text, self.at(name).line()):
                pass
        elif kind == 'Q':
            self.at(name).quiet(float(text))
        elif kind == 'E':
            self.at(name).closed()
        elif kind == 'X':
            self.lines.pop(name).close()
        else:
            raise Failed('what is %s?' % kind)

    def any_order(self, name, wanted):
        while wanted:
            got = self.at(name).line()
            for w in wanted:
                if self.words.match(w, got):
                    wanted.remove(w)
                    break
            else:
                raise Failed('wanted one of %r, got %r' % (wanted, got))

    # ---- orders ----

    def order(self, text, more):
        words = shlex.split(self.words.fill(text))
        fn = getattr(self, 'order_' + words[0].replace('-', '_'), None)
        if not fn:
            raise Failed('no order "%s"' % words[0])
        self.said.append('! ' + text)
        fn(words[1:], more)

    def order_inject(self, words, more):
        folder = words[1] if len(words) > 1 else 'INBOX'
        raw = '\r\n'.join(self.words.fill(x) for x in more) + '\r\n'
        self.lab.server.inject(words[0], raw.encode(), folder)

    def order_mischief(self, words, _more):
        user, command, do = words[:3]
        self.lab.server.mischief(do, command, user,
                                 int(words[3]) if len(words) > 3 else 1)

    def order_clear(self, _words, _more):
        self.lab.server.mischief_clear()

    def order_count(self, words, _more):
        user, folder, plus = words
        want = self.before[user, folder] + int(plus)
        got = [None]

        def right():
            got[0] = len(self.lab.server.items(user, folder))
            return got[0] == want
        if not until(right, WAIT):
            raise Failed('%s of %s has %r mails, wanted %d'
                         % (folder, user, got[0], want))

    def order_server(self, words, _more):
        if words == ['stop']:
            self.lab.server.stop()
        elif words == ['start']:
            self.lab.server.start()
        else:
            raise Failed('server stop or start')

    def order_ctl(self, words, more):
        self.lab.ctl(*words, stdin='\n'.join(more) + '\n' if more else None,
                     as_json=False)

    def order_conf(self, words, _more):
        change_conf(self.lab.conf, ' '.join(words))

    def order_hup(self, _words, _more):
        def outcomes():
            return self.lab.daemon.text().count('reloaded')
        before = outcomes()
        os.kill(self.lab.daemon.pid, signal.SIGHUP)
        if not until(lambda: outcomes() > before, WAIT, 0.02):
            raise Failed('no reload')

    def order_restart(self, _words, _more):
        self.lab.restart()

    def order_log(self, words, _more):
        if not self.lab.log_has(words, WAIT):
            raise Failed('the log has no line with %r' % words)

    def order_nolog(self, words, _more):
        if self.lab.log_has(words, 0):
            raise Failed('the log has a line with %r' % words)

    def order_sleep(self, words, _more):
        time.sleep(float(words[0]))


def change_conf(path, setting):
    """Takes the place of a global setting of that name, or is added."""
    name = setting.split('=')[0].strip()
    with open(path) as f:
        lines = f.read().splitlines()
    for i, line in enumerate(lines):
        if re.match(r'%s\s*=' % re.escape(name), line):
            lines[i] = setting
            break
    else:
        at = next((i for i, line in enumerate(lines)
                   if line.startswith('account ')), len(lines))
        lines.insert(at, setting)
    with open(path + '.new', 'w') as f:
        f.write('\n'.join(lines) + '\n')
    os.rename(path + '.new', path)


def lab_start(lab, script):
    for setting in script.sets:
        change_conf(lab.conf, setting)
    for words in script.accounts:
        user = words[0]
        lab.server.add_user(user, [lab.pki.pem(user + '-enc')])
    for user in ('alice', 'bob', 'carol'):
        if user not in lab.server.users:
            lab.server.add_user(user, [lab.pki.pem(user + '-enc')]
                                if user != 'carol' else ())
    lab.server.start()
    lab.start()
    for words in script.accounts:
        lab.add_account(words[0], words[1:])


class Report:
    def __init__(self):
        self.n = self.failed = 0

    def line(self, script, why=None, said=()):
        self.n += 1
        self.failed += why is not None
        print('%sok %d - %s: %s' % ('not ' if why else '', self.n,
                                    script.name,
                                    script.title.replace('#', '/')))
        if why:
            for line in ['...'] * (len(said) > 40) + list(said[-40:]):
                print('#  ', line.encode('unicode_escape').decode())
            for line in str(why).splitlines():
                print('#', line)
        sys.stdout.flush()


def play_group(scripts, report):
    left, bad = list(scripts), False
    try:
        with Lab('dialog', 'sandbox:' + os.environ.get('DIALOG_EAS', '16.1')) \
                as lab:
            lab_start(lab, scripts[0])
            while left:
                script = left.pop(0)
                play = None
                try:
                    play = Play(lab, script)
                    play.run()
                    if not lab.daemon.alive():
                        raise Failed('sealpostd has ended')
                except (Failed, OSError, RuntimeError) as e:
                    lab.failed = bad = True
                    report.line(script, '%s: %s' % (type(e).__name__, e),
                                play.said if play else ())
                    if not lab.daemon.alive():
                        raise RuntimeError('sealpostd has ended')
                else:
                    report.line(script)
                lab.server.mischief_clear()
    except Exception as e:  # the lab: all that is left fails with it
        for script in left or ([] if bad else [scripts[-1]]):
            report.line(script, '%s: %s' % (type(e).__name__, e))


def main(args):
    paths = []
    for a in args:
        a = a if os.path.exists(a) else os.path.join(HERE, a)
        paths += sorted(glob.glob(os.path.join(a, '*.dlg'))) \
            if os.path.isdir(a) else [a]
    groups = {}
    for path in paths:
        script = Script(path)
        groups.setdefault(script.lab_key(), []).append(script)
    report = Report()
    for scripts in groups.values():
        play_group(scripts, report)
    print('1..%d' % report.n)
    return 1 if report.failed or not report.n else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
