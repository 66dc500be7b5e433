"""Suites imap and smtp: beside Dovecot and Postfix as Debian ships them, with
the same mail, in turns. Both peers run from a directory of ours on free
ports; where they are not installed the rows say so."""
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import threading
import time

from first_sync import prepare
from imapwire import Imap
from lab import Lab
from mailbox import fill
from measure import (Row, family, family_cpu, family_pss_kb, interleaved,
                     median)
from own import quiet, submit
import proc

IDLE = 200  # idle connections


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError('nothing listens at port %d' % port)


# ---- Dovecot ----

DOVECOT = '''%(version)s
base_dir = %(dir)s/run
state_dir = %(dir)s/run
instance_name = bench
log_path = %(dir)s/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
mail_fsync = always
mail_max_userip_connections = 4000
first_valid_uid = 1
first_valid_gid = 1
mailbox_list_index = yes
service imap-login {
  inet_listener imap {
    port = %(port)d
  }
  inet_listener imaps {
    port = 0
  }
  service_count = 0
  client_limit = 4000
  process_min_avail = 1
}
service imap {
  process_limit = 4000
  service_count = 1024
}
namespace inbox {
  inbox = yes
}
'''
OLD = '''
disable_plaintext_auth = no
mail_location = maildir:%(dir)s/mail
passdb {
  driver = passwd-file
  args = scheme=PLAIN %(dir)s/passwd
}
userdb {
  driver = static
  args = uid=%(uid)d gid=%(gid)d home=%(dir)s/home
}
'''
NEW = '''
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = %(dir)s/mail
passdb passwd-file {
  passwd_file_path = %(dir)s/passwd
  default_password_scheme = PLAIN
}
userdb static {
  fields {
    uid = %(uid)d
    gid = %(gid)d
    home = %(dir)s/home
  }
}
'''


class Dovecot:
    password = 'secret'

    def __init__(self, directory, count, size):
        self.dir = os.path.join(directory, 'dovecot')
        os.makedirs(os.path.join(self.dir, 'home'))
        os.chmod(directory, 0o755)
        fill(os.path.join(self.dir, 'mail'), count, size)
        with open(os.path.join(self.dir, 'passwd'), 'w') as f:
            f.write('alice:{PLAIN}%s\n' % self.password)
        who = pwd.getpwnam('nobody')
        self.port = free_port()
        new = subprocess.check_output(['dovecot', '--version']).decode()
        is_new = tuple(int(x) for x in new.split('.')[:2]) >= (2, 4)
        words = {'dir': self.dir, 'port': self.port, 'uid': who.pw_uid,
                 'gid': who.pw_gid, 'version': (
                     'dovecot_config_version = 2.4.0\n'
                     'dovecot_storage_version = 2.4.0') if is_new else ''}
        conf = os.path.join(self.dir, 'dovecot.conf')
        with open(conf, 'w') as f:
            f.write((DOVECOT + (NEW if is_new else OLD)) % words)
        for top, dirs, files in os.walk(self.dir):
            for name in dirs + files:
                os.chown(os.path.join(top, name), who.pw_uid, who.pw_gid)
        self.proc = proc.Process('dovecot', ['dovecot', '-F', '-c', conf],
                                 directory)
        wait_port(self.port)

    @property
    def pid(self):
        return self.proc.pid

    def imap(self, folder=None):
        c = Imap(('127.0.0.1', self.port), 120)
        c.login('alice', self.password)
        if folder:
            c.select(folder)
        return c

    def stop(self):
        self.proc.stop()


def dovecot_or_none(lab, count, size):
    """None where it is not installed, or where nobody may start it."""
    if not shutil.which('dovecot') or os.getuid() != 0:
        return None
    return Dovecot(lab.dir, count, size)


# ---- commands, answers thrown away ----

def swallow(imap, command):
    """To the tagged answer, without taking anything apart; the bytes."""
    tag = imap.start(command)
    have, tail = len(imap.buffer), imap.buffer
    imap.buffer = b''
    end = b'\r\n' + tag + b' '
    tail = b'\r\n' + tail
    while True:
        at = tail.find(end)
        if at >= 0 and tail.endswith(b'\r\n'):
            if tail[at + len(end):at + len(end) + 2] != b'OK':
                raise AssertionError(tail[at:])
            return have
        got = imap.sock.recv(1 << 20)
        if not got:
            raise ConnectionResetError('closed')
        have += len(got)
        tail = tail[-4096:] + got


def ms(imap, command):
    began = time.perf_counter()
    swallow(imap, command)
    return (time.perf_counter() - began) * 1000


def reselect(imap):
    swallow(imap, 'SELECT "INBOX"')
    swallow(imap, 'UNSELECT')
    return ms(imap, 'SELECT "INBOX"')


def stores(imap, turn, n):
    """One by one; a second."""
    began = time.perf_counter()
    for i in range(n):
        swallow(imap, 'STORE %d %sFLAGS.SILENT (\\Flagged)'
                % (turn[0] * n + i + 1, '+'))
    turn[0] += 1
    return n / (time.perf_counter() - began)


def bodies(imap, n):
    """MB a second."""
    began = time.perf_counter()
    size = swallow(imap, 'FETCH 1:%d (BODY.PEEK[])' % n)
    return size / (time.perf_counter() - began) / 1e6


def singles(imap, n):
    began = time.perf_counter()
    for i in range(n):
        swallow(imap, 'FETCH %d (BODY.PEEK[])' % (i + 1))
    return n / (time.perf_counter() - began)


def logins(connect, n):
    began = time.perf_counter()
    for _ in range(n):
        connect().close()
    return n / (time.perf_counter() - began)


def idle_kb(connect, pid, n):
    """PSS that an idle connection costs."""
    before = family_pss_kb(pid)
    held = []
    for _ in range(n):
        c = connect('INBOX')
        c.idle()
        held.append(c)
    time.sleep(1)
    grown = (family_pss_kb(pid) - before) / n
    for c in held:
        c.close()
    return grown


ALL = 'FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)'


def imap(args):
    count = args.messages or (200 if args.quick else 50000)
    few = min(count, 50 if args.quick else 1000)
    with Lab('bench-imap', 'sandbox:16.1',
             '') as lab:
        prepare(lab, count, 2000)
        lab.start()
        lab.wait_for(lambda: lab.is_settled('alice'), 1800, 'the first sync',
                     0.5)
        peer = dovecot_or_none(lab, count, 2000)
        try:
            yield from imap_rows(args, lab, peer, count, few)
        finally:
            if peer:
                peer.stop()


def imap_rows(args, lab, peer, count, few):
    name = 'Dovecot, Maildir, same mail' if peer else \
        'Dovecot is not installed, or we are not root'

    def row(what, do, more=False, wanted=None):
        a, b = interleaved(args.count, lambda: do(ours),
                           (lambda: do(theirs)) if peer else None)
        return Row(what, a, b, name, more, wanted)

    ours = lab.imap('alice', 'INBOX', 120)
    theirs = peer.imap('INBOX') if peer else None
    yield row('FETCH FLAGS of %d, ms' % count,
              lambda c: ms(c, 'FETCH 1:* (FLAGS)'), wanted=1)
    yield row('SELECT with nothing new, ms', reselect, wanted=1)
    yield row('FETCH ENVELOPE BODYSTRUCTURE ... of all, warm, ms',
              lambda c: ms(c, ALL), wanted=2)
    yield row('SEARCH SUBJECT, ms',
              lambda c: ms(c, 'SEARCH SUBJECT "garden network"'), wanted=1)
    yield row('SEARCH FROM, ms',
              lambda c: ms(c, 'SEARCH FROM "p13@example"'), wanted=1)
    yield row('%d bodies in one command, MB/s' % few,
              lambda c: bodies(c, few), True, 0.8)
    yield row('%d bodies one by one, a second' % few,
              lambda c: singles(c, few), True, 1)
    turns = {id(ours): [0], id(theirs): [0]}
    yield row('STORE one by one, durable, a second',
              lambda c: stores(c, turns[id(c)], few // 10), True, 0.5)
    n = 3 if args.quick else 20
    a, b = interleaved(args.count,
                       lambda: logins(lambda: lab.imap('alice'), n),
                       (lambda: logins(peer.imap, n)) if peer else None)
    yield Row('logins a second (ours scrypt, its PLAIN)', a, b, name, True, 1)
    n = 10 if args.quick else IDLE
    a = idle_kb(lambda f: lab.imap('alice', f), lab.daemon.pid, n)
    b = idle_kb(peer.imap, peer.pid, n) if peer else None
    yield Row('memory of an idle connection (%d of them), KB PSS' % n, a, b,
              name, wanted=1)
    yield Row('at rest with %d, MB PSS' % count,
              family_pss_kb(lab.daemon.pid) / 1024,
              family_pss_kb(peer.pid) / 1024 if peer else None, name,
              wanted=1)


# ---- Postfix ----

MAIN = '''compatibility_level = 3.6
queue_directory = %(dir)s/queue
data_directory = %(dir)s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
maillog_file_prefixes = %(dir)s
maillog_file = %(dir)s/log
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtputf8_enable = no
alias_maps =
message_size_limit = 0
mailbox_size_limit = 0
default_transport = discard:
smtpd_client_connection_rate_limit = 0
defer_transports = discard
'''
MASTER = '''127.0.0.1:%(port)d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''


class Postfix:
    def __init__(self, directory):
        self.dir = os.path.join(directory, 'postfix')
        self.port = free_port()
        os.chmod(directory, 0o755)
        for d in ('conf', 'queue', 'data'):
            os.makedirs(os.path.join(self.dir, d))
        shutil.chown(os.path.join(self.dir, 'data'), 'postfix')
        words = {'dir': self.dir, 'port': self.port}
        for name, text in (('main.cf', MAIN), ('master.cf', MASTER)):
            with open(os.path.join(self.dir, 'conf', name), 'w') as f:
                f.write(text % words)
        self.command('start')
        wait_port(self.port)

    def command(self, what):
        p = subprocess.run(['postfix', '-c', os.path.join(self.dir, 'conf'),
                            what], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        if p.returncode:
            raise RuntimeError('postfix %s: %s' % (what, p.stdout.decode()))

    def smtp(self):
        s = smtplib.SMTP('127.0.0.1', self.port, 'client.example.test', 60)
        s.ehlo()
        return s

    def stop(self):
        self.command('stop')


def smtp(args):
    """Mail taken over and durable, and no more: both are kept from passing it
    on (our server is away, Postfix defers), so that 250 means on both sides
    that the queue has it."""
    peer = None
    with Lab('bench-smtp', 'sandbox:16.1',
             'sign = never\nencrypt = never\n') as lab:
        quiet(lab)
        with open(lab.conf) as f:
            text = f.read()
        with open(lab.conf, 'w') as f:
            f.write(text.replace('submit_wait = 10s', 'submit_wait = 0s'))
        lab.server.add_user('alice')
        lab.server.start()
        lab.add_account('alice', keys=[])
        lab.start()
        lab.wait_for(lambda: lab.is_settled('alice'), 30, 'the sync')
        lab.server.stop()
        if shutil.which('postfix') and os.getuid() == 0:
            peer = Postfix(lab.dir)
        name = 'Postfix' if peer else \
            'Postfix is not installed, or we are not root'
        turn = [0]

        def rate(connect, n, size):
            s = connect()
            began = time.perf_counter()
            submit(s, turn[0], n, size)
            took = time.perf_counter() - began
            turn[0] += 1
            s.quit()
            return n / took
        try:
            for size, shown in ((10240, '10 KB'), (1 << 20, '1 MB')):
                n = 5 if args.quick else (100 if size < 1 << 20 else 20)
                a, b = interleaved(
                    args.count, lambda: rate(lambda: lab.smtp('alice'), n,
                                             size),
                    (lambda: rate(peer.smtp, n, size)) if peer else None)
                yield Row('SMTP accepted and durable, %s, a second' % shown,
                          a, b, name, True, 1.5 if size == 10240 else 1)
        finally:
            if peer:
                peer.stop()
