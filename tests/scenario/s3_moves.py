#!/usr/bin/python3
"""Scenario 3: moves. Offline and merged, with lost answers and kill -9, with
the source deleted elsewhere; the COPYUID that was told stays true."""
import os
import sys

from agree import agree, back, check, cut_off, mail, run, same, server, \
    unchanged, view

ALL = ('INBOX', 'One', 'Two', 'Trash')


def item(lab, n, folder='INBOX'):
    return [i for i in lab.server.items('alice', folder)
            if i.header('Message-ID') == '<s%d@example.test>' % n][0]


def move(c, folder, uid, to):
    c.select(folder)
    return c.move(uid, to)[uid]


def only_in(lab, n, folder, uid):
    """Once, there, on both sides, under the UID that was told last."""
    got = agree(lab, ALL)
    same({f for f in ALL if n in got[f]}, {folder}, 'where it is')
    same(got[folder][n][0], uid, 'the UID that was told')


def step_a_to_b_to_c_offline(lab):
    c = lab.imap('alice', 'INBOX')
    c.command('CREATE One')
    c.command('CREATE Two')
    uid = view(lab)[1][0]
    lab.wait_for(lambda: lab.is_settled('alice'), 20, 'settled')
    cut_off(lab)
    there = move(c, 'One', move(c, 'INBOX', uid, 'One'), 'Two')
    c.logout()
    back(lab)
    only_in(lab, 1, 'Two', there)
    log = [r for r in lab.server.log() if r['command'] == 'MoveItems']
    tried = [r for r in log if r.get('mischief')]
    # Steps merge; one whose outcome is not known is repeated as it was.
    check(len(log) - len(tried) <= (2 if tried else 1), '%d requests after '
          '%d that got no answer', len(log) - len(tried), len(tried))
    return '%d requests, %d without an answer' % (len(log), len(tried))


def step_answer_lost(lab):
    c = lab.imap('alice', 'INBOX')
    uid = view(lab)[2][0]
    lab.server.mischief('drop-after', 'MoveItems')
    there = move(c, 'INBOX', uid, 'One')
    c.logout()
    lab.wait_for(lambda: 2 in server(lab, 'One'), 20, 'the move')
    back(lab)
    only_in(lab, 2, 'One', there)
    return 'recognised in the target'


def step_answer_lost_and_moved_on(lab):
    """The first move was made and nobody knows; the client goes on to Two."""
    c = lab.imap('alice', 'INBOX')
    uid = view(lab)[3][0]
    lab.server.mischief('drop-after', 'MoveItems')
    there = move(c, 'INBOX', uid, 'One')
    lab.wait_for(lambda: 3 in server(lab, 'One'), 20, 'the move')
    cut_off(lab)
    there = move(c, 'One', there, 'Two')
    c.logout()
    back(lab)
    only_in(lab, 3, 'Two', there)
    return 'the last word of the client stands'


def step_back_again_after_a_lost_answer(lab):
    c = lab.imap('alice', 'INBOX')
    uid = view(lab)[4][0]
    lab.server.mischief('drop-after', 'MoveItems')
    there = move(c, 'INBOX', uid, 'One')
    lab.wait_for(lambda: 4 in server(lab, 'One'), 20, 'the move')
    cut_off(lab)
    there = move(c, 'One', there, 'INBOX')
    c.logout()
    back(lab)
    only_in(lab, 4, 'INBOX', there)
    return 'it is where it was'


def step_source_deleted_elsewhere(lab):
    c = lab.imap('alice', 'INBOX')
    uid = view(lab)[5][0]
    lab.wait_for(lambda: lab.is_settled('alice'), 20, 'settled')
    cut_off(lab)
    move(c, 'INBOX', uid, 'One')
    c.logout()
    lab.server.remove('alice', item(lab, 5))
    back(lab)
    got = agree(lab, ALL)
    check(not any(5 in got[f] for f in ALL), 'it is still shown')
    return 'gone on both sides'


def step_no_or_wrong_id(lab):
    """DstMsgId is missing, another message's, nobody's, or the old one."""
    for n, do in ((6, 'move-no-id'), (7, 'move-wrong-id'),
                  (8, 'move-old-id')):
        uid = view(lab)[n][0]
        one = view(lab, 'One')
        lab.server.mischief(do, 'MoveItems')
        c = lab.imap('alice', 'INBOX')
        there = move(c, 'INBOX', uid, 'One')
        c.logout()
        try:
            only_in(lab, n, 'One', there)
            unchanged(one, view(lab, 'One'), 'UIDs of One')
            # what is sent to it meets this message and no other
            c = lab.imap('alice', 'One')
            c.store(there, '+', ['\\Flagged'])
            c.logout()
            got = agree(lab, ALL)['One']
            same({k for k, v in got.items() if '\\Flagged' in v[1]},
                 {n}, 'flagged')
            c = lab.imap('alice', 'One')
            c.store(there, '-', ['\\Flagged'])
            c.logout()
            agree(lab, ALL)
        except AssertionError as x:
            raise AssertionError('%s: %s' % (do, x)) from x
    return 'the Sync of the target tells'


def step_add_and_delete_in_any_order(lab):
    """The target is listed before the source, the source before the target,
    and both before the answer to MoveItems is here."""
    lab.server.mischief('late:1500', 'MoveItems', times=3)
    told = {}
    for n, folder in ((9, 'Trash'), (10, 'One'), (11, 'Two')):
        c = lab.imap('alice', 'INBOX')
        told[n] = folder, move(c, 'INBOX', view(lab)[n][0], folder)
        lab.wait_for(lambda: n in server(lab, folder), 20, 'the move')
        c.select(folder)
        c.command('NOOP')
        c.select('INBOX')
        c.command('NOOP')
        c.logout()
    got = agree(lab, ALL)
    for n, (folder, uid) in told.items():
        same({f for f in ALL if n in got[f]}, {folder}, 'where %d is' % n)
        same(got[folder][n][0], uid, 'the UID that was told')
    return 'three moves'


def step_answer_lost_and_both_listed(lab):
    """What was moved is shown in the target, or missing in the source, before
    anybody knows that the move was made."""
    for first in ('INBOX', 'One'):
        lab.server.inject('alice', mail(20 if first == 'One' else 21))
        n = 20 if first == 'One' else 21
        lab.wait_for(lambda: n in view(lab), 20, 'new mail')
        lab.wait_for(lambda: lab.is_settled('alice'), 20, 'settled')
        lab.server.mischief('drop-after', 'MoveItems')
        # the repetition does not get through before the folder was seen
        lab.server.mischief('status:503', 'MoveItems', times=2)
        c = lab.imap('alice', 'INBOX')
        there = move(c, 'INBOX', view(lab)[n][0], 'One')
        lab.wait_for(lambda: n in server(lab, 'One'), 20, 'the move')
        c.select(first)
        c.command('NOOP')
        c.logout()
        back(lab)
        only_in(lab, n, 'One', there)
    return 'source first, target first'


def step_refused_for_good(lab):
    """It comes back under a new UID, and status says why."""
    n = sorted(view(lab))[0]
    before = view(lab)
    lab.server.mischief('inline:121', 'MoveItems', times=0)
    c = lab.imap('alice', 'INBOX')
    move(c, 'INBOX', before[n][0], 'Two')
    lab.wait_for(lambda: n in view(lab), 60, 'that it comes back')
    lab.server.mischief_clear()
    c.logout()
    got = agree(lab, ALL)
    same({f for f in ALL if n in got[f]}, {'INBOX'}, 'where it is')
    check(got['INBOX'][n][0] > max(v[0] for v in before.values()),
          'it is back under an old UID')
    told = str(lab.account_status('alice'))
    check('refus' in told, 'status: %s', told)
    return 'back under UID %d' % got['INBOX'][n][0]


if __name__ == '__main__':
    os.environ['SEALPOST_FAULT_HURRY'] = '60'  # for the tries of a refusal
    sys.exit(run('S3 moves', [
        step_a_to_b_to_c_offline, step_answer_lost,
        step_answer_lost_and_moved_on, step_back_again_after_a_lost_answer,
        step_source_deleted_elsewhere, step_no_or_wrong_id,
        step_add_and_delete_in_any_order, step_answer_lost_and_both_listed,
        step_refused_for_good], 14))
