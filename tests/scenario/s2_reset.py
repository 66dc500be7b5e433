#!/usr/bin/python3
"""Scenario 2: the SyncKey is lost while flags, moves and deletes are still in
the journal, once and twice in a row, and with a server that went away."""
import os
import shutil
import sqlite3
import sys

from agree import agree, back, check, cut_off, mail, run, same, server, unchanged, \
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


def relisted(lab):
    lab.wait_for(lambda: lab.is_settled('alice'), 40, 'settled')


def step_ids_new_and_reused_with_changes(lab):
    """All ids new, then each the id of another mail: no edit meets a mail
    that it was not meant for."""
    for do, numbers in (('renumber', (0, 1, 9, 10)), ('swap-ids',
                                                      (0, 1, 2, 11))):
        before, trash = view(lab), view(lab, 'Trash')
        cut_off(lab)
        edit(lab, before, *numbers)
        lab.daemon.kill()
        lab.server.mischief_clear()
        lab.server.mischief(do, 'Sync')
        lab.start()
        after = agree(lab, ('INBOX', 'Trash'))
        same(set(after['INBOX']), set(before) - set(numbers[2:]), do)
        same(set(after['Trash']), set(trash) | set(numbers[2:]), do)
        unchanged(before, after['INBOX'], 'UIDs after ' + do)
        unchanged(trash, after['Trash'], 'UIDs of Trash after ' + do)
        same(after['INBOX'][numbers[0]][1] & {'\\Flagged'}, {'\\Flagged'},
             'flag')
        for n in (0, 1, 2, 11):
            if n in before:
                c = lab.imap('alice', 'INBOX')
                c.store(before[n][0], '-', ['\\Flagged'])
                c.logout()
                break
        relisted(lab)
    return 'renumbered and exchanged'


def step_twins(lab):
    """Mails that only their ids tell apart: after a reset with new ids they
    are not guessed, and nothing is sent to any of them."""
    for n in (50, 51, 52):
        lab.server.inject('alice', mail(n, 'Twin').replace(
            b'15:%02d:05' % (n % 60), b'15:00:00'))
    lab.wait_for(lambda: {50, 51, 52} <= set(view(lab)), 20, 'the twins')
    relisted(lab)
    before = view(lab)
    cut_off(lab)
    c = lab.imap('alice', 'INBOX')
    c.store(before[50][0], '+', ['\\Deleted'])
    c.command('UID EXPUNGE %d' % before[50][0])
    c.logout()
    lab.daemon.kill()
    lab.server.mischief_clear()
    lab.server.mischief('renumber', 'Sync')
    lab.start()
    after = agree(lab, ('INBOX', 'Trash'))
    check({51, 52} <= set(after['INBOX']), 'a twin was deleted')
    check(50 in after['INBOX'] or 50 in after['Trash'], '50 is lost')
    unchanged({n: v for n, v in before.items() if n < 50}, after['INBOX'],
              'UIDs of the others')
    used = {v[0] for v in before.values()}
    for n in (50, 51, 52):
        if n in after['INBOX'] and after['INBOX'][n][0] != before[n][0]:
            check(after['INBOX'][n][0] not in used, 'a UID was given again')
    return 'three twins, none lost'


def step_relist_comes_back_empty(lab):
    """It is listed a second time before anything goes; the server is well
    again by then."""
    before = view(lab)
    check(len(before) > 10, 'too few for the rule')
    lab.server.mischief('list-empty', folder='INBOX', times=0)
    lab.server.mischief('reset-key', 'Sync')
    c = lab.imap('alice', 'INBOX')
    c.store(before[0][0], '+', ['\\Seen'])
    lab.wait_for(lambda: 'rests' in str(lab.account_status('alice')), 20,
                 'status says that a folder rests')
    same(set(view(lab)), set(before), 'the view meanwhile')
    lab.restart(kill=True)
    same(set(view(lab)), set(before), 'the view after a restart')
    lab.stop()
    # the ten minutes are over
    path = [os.path.join(d, 'store.db') for d, _, f in
            os.walk(os.path.join(lab.dir, 'state')) if 'store.db' in f][0]
    with sqlite3.connect(path) as db:
        n = db.execute("UPDATE meta SET value = value - 700 WHERE name LIKE"
                       " 'doubt:%' AND value <> ''").rowcount
    db.close()
    same(n, 1, 'doubts')
    lab.server.mischief_clear()
    lab.start()
    after = agree(lab)
    same(set(after['INBOX']), set(before), 'INBOX')
    unchanged(before, after['INBOX'], 'UIDs')
    return '%d messages stayed' % len(before)


def step_old_store_put_back(lab):
    """The state directory as it was: what the clients were told since is not
    told of another message, and old edits do not undo new ones."""
    relisted(lab)
    lab.stop()
    state, saved = (os.path.join(lab.dir, x) for x in ('state', 'saved'))
    shutil.copytree(state, saved)
    lab.start()
    for n in (60, 61):
        lab.server.inject('alice', mail(n))
    lab.wait_for(lambda: {60, 61} <= set(view(lab)), 20, 'new mail')
    c = lab.imap('alice', 'INBOX')
    told = view(lab)
    some = [n for n in sorted(told) if n < 50][:3]
    c.store(told[some[0]][0], '+', ['\\Flagged'])
    c.move(told[some[1]][0], 'Trash')
    c.logout()
    relisted(lab)
    was = agree(lab, ('INBOX', 'Trash'))
    device = {r['device'] for r in lab.server.log() if 'device' in r}
    lab.daemon.kill()
    shutil.rmtree(state)
    shutil.copytree(saved, state)
    shutil.rmtree(saved)
    lab.server.inject('alice', mail(62))
    lab.start()
    lab.wait_for(lambda: 62 in view(lab), 40, 'mail of now')
    got = agree(lab, ('INBOX', 'Trash'))
    same(set(got['INBOX']), set(was['INBOX']) | {62}, 'INBOX')
    same(set(got['Trash']), set(was['Trash']), 'Trash')
    for n, v in was['INBOX'].items():
        for m, w in got['INBOX'].items():
            check(m == n or w[0] != v[0], 'UID %d was %d, is %d', v[0], n, m)
    fresh = {r['device'] for r in lab.server.log() if 'device' in r} - device
    same(len(fresh), 1, 'device ids that came')
    return 'a new device, and no UID of another message'


if __name__ == '__main__':
    sys.exit(run('S2 keys lost with a journal', [
        step_reset_with_changes, step_folder_list_lost,
        step_reset_during_the_relist, step_html_for_answers,
        step_ids_new_and_reused_with_changes, step_twins,
        step_relist_comes_back_empty, step_old_store_put_back], 24))
