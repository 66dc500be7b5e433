#!/usr/bin/python3
"""Wrong passwords wait, longer each time, and nobody else's right one helps."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from imapwire import Imap, ImapError  # noqa: E402
from lab import Lab  # noqa: E402
from tap import Tap, check  # noqa: E402


def wrong(lab, user):
    """How long the "no" takes."""
    c = Imap(lab.address('imap'), 30)
    began = time.monotonic()
    try:
        c.login(user, 'not the one')
    except ImapError as e:
        check(e.code == 'AUTHENTICATIONFAILED', 'told: %s', e)
    else:
        raise AssertionError('a wrong password was taken')
    finally:
        c.close()
    return time.monotonic() - began


def right(lab, user):
    began = time.monotonic()
    lab.imap(user).close()
    return time.monotonic() - began


def main():
    tap = Tap('logins')
    with Lab('logins') as lab:
        with open(lab.conf) as f:
            text = f.read()
        with open(lab.conf, 'w') as f:
            f.write(text.replace('login_delay = 0s', 'login_delay = 1s'))
        for user in ('alice', 'bob'):
            lab.server.add_user(user)
        lab.server.start()
        for user in ('alice', 'bob'):
            lab.add_account(user, keys=())
        lab.start()

        def step_each_costs_more():
            times = [wrong(lab, 'alice'), wrong(lab, 'alice')]
            check(times[0] >= 1 and times[1] >= 2, 'it took %s', times)

        def step_another_account_is_no_help():
            right(lab, 'bob')
            took = wrong(lab, 'alice')
            check(took >= 3, 'after bob, alice waits %.1f s', took)

        def step_nor_another_name():
            took = wrong(lab, 'nobody')
            check(took >= 4, 'from the same peer: %.1f s', took)

        def step_who_is_right_never_waits():
            took = right(lab, 'alice')
            check(took < 1, 'it took %.1f s', took)

        tap.run([step_each_costs_more, step_another_account_is_no_help,
                 step_nor_another_name, step_who_is_right_never_waits])
        lab.failed |= tap.failed > 0
        return tap.end()


if __name__ == '__main__':
    sys.exit(main())
