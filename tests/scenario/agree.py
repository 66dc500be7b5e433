"""What the scenarios share: mails, and that view and server agree."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'e2e'))
from lab import Lab  # noqa: E402
from tap import Tap, check, same  # noqa: E402,F401

SHOWN = {'\\Seen', '\\Flagged'}


def mail(n, subject=None):
    return (b'From: Bob <bob@example.test>\r\nTo: alice@example.test\r\n'
            b'Subject: %s\r\nMessage-ID: <s%d@example.test>\r\n'
            b'Date: Mon, 2 Jan 2006 15:%02d:05 +0100\r\n\r\n'
            b'text of message %d\r\n' % ((subject or 'Number %d' % n).encode(),
                                         n, n % 60, n))


def view(lab, folder='INBOX', user='alice'):
    """{number of the mail: (UID, flags)} as a client sees it."""
    c = lab.imap(user, folder)
    out = {}
    try:
        for d in c.all('(UID FLAGS BODY.PEEK[HEADER])').values():
            head = [v for k, v in d.items() if k.startswith('BODY[')][0]
            n = int(bytes(head).split(b'<s')[1].split(b'@')[0])
            check(n not in out, 'message %d is twice in %s', n, folder)
            out[n] = (d['UID'], {str(f) for f in d['FLAGS']} & SHOWN)
    finally:
        c.logout()
    return out


def server(lab, folder='INBOX', user='alice'):
    """{number: flags} as the server has it; twice is a failure."""
    out = {}
    for i in lab.server.items(user, folder):
        n = int(i.header('Message-ID')[2:].split('@')[0])
        check(n not in out, 'message %d is twice in %s of the server', n,
              folder)
        out[n] = i.flags & SHOWN
    return out


def agree(lab, folders=('INBOX',), seconds=40, user='alice'):
    """Until nothing is left to do; then both sides are one."""
    lab.wait_for(lambda: lab.is_settled(user), seconds, 'the journal is empty')
    out = {}
    for f in folders:
        out[f] = view(lab, f, user)
        same({n: v[1] for n, v in out[f].items()}, server(lab, f, user),
             'view and server of %s' % f)
    return out


def unchanged(before, after, what):
    """The UIDs of all that is in both."""
    same({n: v[0] for n, v in after.items() if n in before},
         {n: v[0] for n, v in before.items() if n in after}, what)


def cut_off(lab, do='drop-before'):
    """No request gets through from now on."""
    lab.server.mischief(do, times=0)


def back(lab):
    """The way is free, and the daemon starts anew after a kill -9: so it does
    not sit out its back-off, and all it knows is what it had kept."""
    lab.daemon.kill()
    lab.server.mischief_clear()
    lab.start()


class StopLab(Lab):
    """SCENARIO_STOP=commit-after:N or commit-before:N:fail: each start of the
    daemon after the first is made with this fault (base/fault.h): it ends at
    its N-th commit, or this commit fails as on a full disk. Then it is
    started once more, for what the step wants to see."""
    stopped = starts_made = 0

    def start(self, env=None, wait=True, wrapper=()):
        stop = os.environ.get('SCENARIO_STOP')
        if not stop or not self.daemon:
            return super().start(env, wait, wrapper)
        log = os.path.join(self.dir, 'fired')
        if os.path.exists(log):
            os.unlink(log)
        self.starts_made += 1
        super().start(dict(env or {}, SEALPOST_FAULT=stop,
                           SEALPOST_FAULT_LOG=log), False, wrapper)
        end = time.monotonic() + 1.5
        while time.monotonic() < end and self.daemon.alive() \
                and not (stop.endswith(':fail') and os.path.exists(log)):
            time.sleep(0.01)
        fired = os.path.exists(log)
        self.stopped += fired
        # what has not failed by now would fail in a client's hands
        if not stop.endswith(':fail') or not fired:
            self.daemon.kill()
            return super().start(env, wait, wrapper)
        return wait and self.wait_up()


def stopping():
    """More requests than usual are no fault of a step then."""
    return bool(os.environ.get('SCENARIO_STOP'))


def run(title, steps, mails=12, settings=''):
    tap = Tap(title)
    with StopLab(title.split()[0].lower(), 'sandbox', settings) as lab:
        lab.server.add_user('alice')
        lab.server.start()
        for n in range(mails):
            lab.server.inject('alice', mail(n))
        lab.add_account('alice', keys=[])
        lab.start()
        lab.wait_for(lambda: lab.is_settled('alice'), 30, 'the first sync')
        tap.run(steps, lab)
        lab.failed |= tap.failed > 0
        if stopping():
            print('# %d of %d starts were stopped at %s' % (
                lab.stopped, lab.starts_made, os.environ['SCENARIO_STOP']))
    return tap.end()
