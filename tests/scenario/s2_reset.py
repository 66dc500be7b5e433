#!/usr/bin/python3
"""Scenario 2: the SyncKey is lost while flags, moves and deletes are still in
the journal, once and twice in a row, and with a server that went away."""
import sys

from agree import agree, back, check, cut_off, run, same, server, unchanged, \
    view


def edit(lab, before, flag, clear, move, kill):
    """Each a number of a mail."""
    c = lab.imap('alice', 'INBOX')
    c.store(before[flag][0], '+', ['\\Flagged'])
    c.store(before[clear][0], '-', ['\\Seen'])
    c.move(before[move][0], 'Trash')
    c.store(before[kill][0], '+', ['\\Deleted'])
    c.command('UID EXPUNGE %d' % before[kill][0])
    c.logout()


def step_reset_with_changes(lab):
    before = view(lab)
    cut_off(lab)
    edit(lab, before, 1, 2, 3, 4)
    offline = view(lab)
    same(set(before) - set(offline), {3, 4}, 'what left')
    lab.daemon.kill()
    lab.server.mischief_clear()
    lab.server.mischief('reset-key', 'Sync')
    lab.start()
    after = agree(lab, ('INBOX', 'Trash'))
    unchanged(before, after['INBOX'], 'UIDs after the reset')
    same(set(after['Trash']), {3, 4}, 'trash')
    same(after['INBOX'][1][1] & {'\\Flagged'}, {'\\Flagged'}, 'flag')
    return '%d messages, 4 changes of before the reset' % len(after['INBOX'])


def step_folder_list_lost(lab):
    before = view(lab)
    cut_off(lab)
    edit(lab, before, 5, 6, 7, 8)
    lab.daemon.kill()
    lab.server.mischief_clear()
    lab.server.mischief('reset-key', 'FolderSync')
    lab.server.mischief('reset-key', 'Sync')
    lab.start()
    after = agree(lab, ('INBOX', 'Trash'))
    unchanged(before, after['INBOX'], 'UIDs')
    return 'FolderSync and Sync both begin anew'


def step_reset_during_the_relist(lab):
    before = view(lab)
    lab.server.mischief('reset-key', 'Sync', times=6)
    c = lab.imap('alice', 'INBOX')
    c.store(before[1][0], '-', ['\\Flagged'])
    def told():
        return 'rests' in str(lab.account_status('alice'))
    lab.wait_for(told, 20, 'status says that a folder rests')
    c.command('NOOP')
    same(set(view(lab)), set(before), 'the view while it rests')
    asked = len([r for r in lab.server.log() if r['command'] == 'Sync'])
    check(asked < 60, '%d Syncs', asked)
    c.logout()
    check('trouble' in lab.ctl('status', as_json=False), 'status as text')
    back(lab)
    after = agree(lab)
    unchanged(before, after['INBOX'], 'UIDs')
    same(server(lab)[1] & {'\\Flagged'}, set(), 'the flag at the server')
    return 'it rests with its view, and goes on'


def step_html_for_answers(lab):
    before = view(lab)
    for status in (500, 501, 502):
        lab.server.mischief('status:%d' % status, 'Sync', times=2)
    c = lab.imap('alice', 'INBOX')
    c.store(before[0][0], '+', ['\\Flagged'])
    c.logout()
    lab.wait_for(lambda: any(r['http'] >= 500 for r in lab.server.log()), 20,
                 'an HTTP error')
    back(lab)
    unchanged(before, agree(lab)['INBOX'], 'UIDs')
    return '500, 501 and 502'


if __name__ == '__main__':
    sys.exit(run('S2 keys lost with a journal', [
        step_reset_with_changes, step_folder_list_lost,
        step_reset_during_the_relist, step_html_for_answers]))
