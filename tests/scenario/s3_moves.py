#!/usr/bin/python3
"""Scenario 3: moves. Offline and merged, with lost answers and kill -9, with
the source deleted elsewhere; the COPYUID that was told stays true."""
import sys

from agree import agree, back, check, cut_off, run, same, server, view

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


if __name__ == '__main__':
    sys.exit(run('S3 moves', [
        step_a_to_b_to_c_offline, step_answer_lost,
        step_answer_lost_and_moved_on, step_back_again_after_a_lost_answer,
        step_source_deleted_elsewhere]))
