#!/usr/bin/python3
"""Scenario 4: copies of one message share one item of the server. COPY,
\\Deleted and EXPUNGE are a move, offline, with kill -9, with lost answers."""
import os
import re
import sys

from agree import agree, back, check, cut_off, run, same, server, view


def copy(c, uid, folder):
    """The UID of the copy; the folder's UIDVALIDITY must be the told one."""
    text, _ = c.command('UID COPY %d %s' % (uid, folder))
    m = re.search(r'\[COPYUID (\d+) (\d+) (\d+)\]', text)
    check(m and int(m.group(2)) == uid, 'COPYUID: %s', text)
    return int(m.group(3))


def expunge(c, uid):
    c.store(uid, '+', ['\\Deleted'])
    c.command('UID EXPUNGE %d' % uid)


def flags(lab, folder, uid):
    c = lab.imap('alice', folder)
    try:
        return {str(f) for f in c.uid_fetch(uid, 'FLAGS')[uid]['FLAGS']}
    finally:
        c.logout()


def body(lab, folder, uid):
    c = lab.imap('alice', folder)
    try:
        return bytes(c.body(uid))
    finally:
        c.logout()


def item(lab, n, folder='INBOX'):
    return [i for i in lab.server.items('alice', folder)
            if i.header('Message-ID') == '<s%d@example.test>' % n][0]


def moved(lab, n, uid, was):
    """It is in Kept on both sides, under this UID, with these bytes."""
    got = agree(lab, ('INBOX', 'Kept', 'Trash'))
    same(got['Kept'][n][0], uid, 'the UID that was told')
    check(n not in got['INBOX'] and n not in got['Trash'], 'it is twice')
    same(body(lab, 'Kept', uid), was, 'the bytes')
    check('$LocalOnly' not in flags(lab, 'Kept', uid), 'called local')


def step_copy_then_delete_offline(lab):
    c = lab.imap('alice', 'INBOX')
    c.command('CREATE Kept')
    before = view(lab)
    was = body(lab, 'INBOX', before[1][0])
    lab.wait_for(lambda: lab.is_settled('alice'), 20, 'settled')
    cut_off(lab)
    uid = copy(c, before[1][0], 'Kept')
    expunge(c, before[1][0])
    c.logout()
    back(lab)
    moved(lab, 1, uid, was)
    return 'moved, once, under UID %d' % uid


def step_answer_of_the_takeover_lost(lab):
    before = view(lab)
    was = body(lab, 'INBOX', before[2][0])
    c = lab.imap('alice', 'INBOX')
    lab.server.mischief('drop-after', 'MoveItems')
    uid = copy(c, before[2][0], 'Kept')
    expunge(c, before[2][0])
    c.logout()
    lab.wait_for(lambda: 2 in server(lab, 'Kept'), 20, 'the move')
    back(lab)
    moved(lab, 2, uid, was)
    return 'the server moved it, nobody was told'


def step_same_folder_and_copy_of_a_copy(lab):
    uid = view(lab)[3][0]
    c = lab.imap('alice', 'INBOX')
    first = copy(c, uid, 'INBOX')
    c.command('NOOP')
    second = copy(c, first, 'Kept')
    expunge(c, uid)
    same(view(lab)[3][0], first, 'the older copy is left')
    got = agree(lab)['INBOX']
    same(got[3][0], first, 'it holds the item')
    check('$LocalOnly' not in flags(lab, 'INBOX', first), 'called local')
    check('$LocalOnly' in flags(lab, 'Kept', second), 'not called local')
    expunge(c, first)
    c.logout()
    got = agree(lab, ('INBOX', 'Kept'))
    same(got['Kept'][3][0], second, 'the youngest has it at last')
    # Only the last EXPUNGE deletes: to the trash.
    c = lab.imap('alice', 'Kept')
    expunge(c, second)
    c.logout()
    got = agree(lab, ('Kept', 'Trash'))
    check(3 in got['Trash'], 'it did not go to the trash')
    return 'INBOX, Kept, Trash: one item all the way'


def step_original_deleted_elsewhere(lab):
    uid = view(lab)[4][0]
    c = lab.imap('alice', 'INBOX')
    there = copy(c, uid, 'Kept')
    was = body(lab, 'INBOX', uid)
    lab.server.remove('alice', item(lab, 4))
    lab.wait_for(lambda: c.command('NOOP') and 4 not in view(lab), 40,
                 'the deletion')
    c.logout()
    lab.restart(kill=True)
    same(body(lab, 'Kept', there), was, 'the bytes of the copy')
    check('$LocalOnly' in flags(lab, 'Kept', there), 'not called local')
    local = lab.account_status('alice')['local']
    check({'folder': 'Kept', 'uid': there} in local, 'status: %r', local)
    c = lab.imap('alice', 'Kept')
    c.store(there, '+', ['\\Seen', '\\Flagged'])
    c.logout()
    lab.wait_for(lambda: lab.is_settled('alice'), 20, 'nothing to send')
    return 'the copy stays'


def step_source_deleted_before_the_takeover(lab):
    uid = view(lab)[5][0]
    lab.wait_for(lambda: lab.is_settled('alice'), 20, 'settled')
    cut_off(lab)
    c = lab.imap('alice', 'INBOX')
    there = copy(c, uid, 'Kept')
    expunge(c, uid)
    c.logout()
    lab.server.remove('alice', item(lab, 5))
    back(lab)
    lab.wait_for(lambda: lab.is_settled('alice'), 40, 'the journal is empty')
    check(b'text of message 5' in body(lab, 'Kept', there), 'the bytes')
    lab.wait_for(lambda: '$LocalOnly' in flags(lab, 'Kept', there), 40,
                 '$LocalOnly')
    check(5 not in server(lab, 'Kept'), 'it came back at the server')
    return 'what was copied is kept'


def step_two_copies(lab):
    """Both expunged before the original: the original keeps the item; then it
    goes to the trash, once."""
    uid = view(lab)[6][0]
    c = lab.imap('alice', 'INBOX')
    one, two = copy(c, uid, 'Kept'), copy(c, uid, 'Kept')
    check(two > one, 'the second copy is %d, the first %d', two, one)
    c.select('Kept')
    for u in (one, two):
        expunge(c, u)
    got = agree(lab)
    same(got['INBOX'][6][0], uid, 'the original')
    check(6 not in view(lab, 'Kept'), 'a copy is left')
    c.select('INBOX')
    expunge(c, uid)
    c.logout()
    got = agree(lab, ('INBOX', 'Trash'))
    check(6 in got['Trash'] and 6 not in got['INBOX'], 'not in the trash')
    return 'only the last EXPUNGE moves'


def step_original_moved_elsewhere(lab):
    """Another device moves the original: the copy is not touched."""
    uid = view(lab)[7][0]
    c = lab.imap('alice', 'INBOX')
    there = copy(c, uid, 'Kept')
    lab.server.move('alice', item(lab, 7), 'INBOX', 'Trash')
    lab.wait_for(lambda: 7 in view(lab, 'Trash'), 40, 'the move')
    c.logout()
    got = agree(lab, ('INBOX', 'Trash'))
    check(7 not in got['INBOX'], 'the original is still shown')
    check(b'text of message 7' in body(lab, 'Kept', there), 'the bytes')
    return 'the copy has its bytes'


def step_takeover_refused(lab):
    """The server refuses the move for good: what was copied is kept, and the
    item stays where it was."""
    uid = view(lab)[8][0]
    lab.server.mischief('inline:121', 'MoveItems', times=0)
    c = lab.imap('alice', 'INBOX')
    there = copy(c, uid, 'Kept')
    expunge(c, uid)
    c.logout()
    lab.wait_for(lambda: lab.is_settled('alice'), 60, 'the refusal')
    lab.server.mischief_clear()
    check(b'text of message 8' in body(lab, 'Kept', there), 'the bytes')
    check(8 in server(lab), 'the server has it no more')
    check(8 not in server(lab, 'Kept'), 'it was moved')
    got = agree(lab)
    check(8 in got['INBOX'], 'it is not shown where it is')
    return 'both are shown'


if __name__ == '__main__':
    os.environ['SEALPOST_FAULT_HURRY'] = '60'  # for the tries of a refusal
    sys.exit(run('S4 copies', [
        step_copy_then_delete_offline, step_answer_of_the_takeover_lost,
        step_same_folder_and_copy_of_a_copy, step_original_deleted_elsewhere,
        step_source_deleted_before_the_takeover, step_two_copies,
        step_original_moved_elsewhere, step_takeover_refused]))
