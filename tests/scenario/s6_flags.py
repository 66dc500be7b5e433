#!/usr/bin/python3
"""Scenario 6: flags and categories against another device, lost answers and
changed minds, days without a network; bodies that are evicted, of a server
that gives the same bytes again and of one that makes its MIME anew."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lab'))
import easclient  # noqa: E402
from agree import agree, back, check, cut_off, run, same, server, view


def item(lab, n):
    for i in lab.server.items('alice'):
        if i.header('Message-ID') == '<s%d@example.test>' % n:
            return i
    raise KeyError(n)


def syncs(lab, word):
    return [r for r in lab.server.log()
            if r['command'] == 'Sync' and r.get('mischief', '') == word]


def lost_answer(lab, n, first, second):
    """The answer to the first change is lost; then kill -9."""
    uid = view(lab)[n][0]
    seen = len(syncs(lab, 'drop-after'))
    c = lab.imap('alice', 'INBOX')
    lab.server.mischief('drop-after', 'Sync')
    c.store(uid, first, ['\\Flagged'])
    lab.wait_for(lambda: len(syncs(lab, 'drop-after')) > seen, 20,
                 'the fault')
    c.store(uid, second, ['\\Flagged'])
    c.logout()
    back(lab)
    want = {'\\Flagged'} if second == '+' else set()
    got = agree(lab)['INBOX']
    same(got[n][1] & {'\\Flagged'}, want, 'view')
    same(server(lab)[n] & {'\\Flagged'}, want, 'server')


def step_mind_changed_after_a_lost_answer(lab):
    lost_answer(lab, 1, '+', '-')
    lost_answer(lab, 1, '+', '+')
    lost_answer(lab, 1, '-', '+')
    return 'the last word of the client stands on both sides'


def step_both_sides(lab):
    before = view(lab)
    cut_off(lab)
    c = lab.imap('alice', 'INBOX')
    c.store(before[2][0], '+', ['\\Flagged'])
    c.store(before[3][0], '+', ['\\Seen'])
    c.store(before[4][0], '+', ['work'])
    c.store(before[5][0], '+', ['\\Flagged'])
    c.logout()
    lab.server.set_flags('alice', item(lab, 2), add={'\\Seen'})
    lab.server.set_flags('alice', item(lab, 3), add={'\\Flagged'})
    lab.server.remove('alice', item(lab, 5))
    back(lab)
    after = agree(lab)['INBOX']
    same(after[2][1], {'\\Seen', '\\Flagged'}, 'number 2')
    same(after[3][1], {'\\Seen', '\\Flagged'}, 'number 3')
    same(lab.server.keywords('alice', item(lab, 4)), {'work'}, 'categories')
    check(5 not in after, 'what was deleted elsewhere is still shown')
    same({n: v[0] for n, v in after.items()},
         {n: v[0] for n, v in before.items() if n != 5}, 'UIDs')
    return 'each field has its newest word'


def step_days_offline(lab):
    before = view(lab)
    cut_off(lab, 'status:503')
    c = lab.imap('alice', 'INBOX')
    everything = ','.join(str(v[0]) for v in before.values())
    for k in range(6):
        c.store(everything, '+-'[k % 2], ['\\Flagged'])
        c.store(everything, '+', ['round%d' % k])
        if k:
            c.store(everything, '-', ['round%d' % (k - 1)])
        if k == 3:
            c.logout()
            lab.restart(kill=True)
            c = lab.imap('alice', 'INBOX')
    c.store(before[6][0], '+', ['\\Flagged'])
    c.logout()
    back(lab)
    after = agree(lab)['INBOX']
    same({n for n, v in after.items() if '\\Flagged' in v[1]}, {6}, 'flagged')
    same(lab.server.keywords('alice', item(lab, 7)), {'round5'}, 'categories')
    def pings():
        return [r['command'] for r in lab.account_status('alice')['requests']
                if r['running']] == ['Ping']
    lab.wait_for(pings, 10, 'status shows the Ping that runs')
    text = lab.ctl('status', as_json=False)
    check('runs       Ping' in text, 'status says %r', text)
    return '%d messages, 18 rounds of STORE and two kills' % len(after)


def step_conflict(lab):
    """The other device has touched the same field since (status 7): the
    server's version is taken, and our difference laid over it again."""
    before = view(lab)
    cut_off(lab)
    c = lab.imap('alice', 'INBOX')
    c.store(before[8][0], '+', ['\\Flagged'])
    c.store(before[9][0], '+', ['\\Seen'])
    c.logout()
    for add, remove in (({'\\Flagged'}, ()), ((), {'\\Flagged'})):
        lab.server.set_flags('alice', item(lab, 8), add=add, remove=remove)
        time.sleep(0.5)  # the server must see each of them
    back(lab)
    after = agree(lab)['INBOX']
    same(after[8][1], {'\\Flagged'}, 'number 8')
    same(after[9][1], {'\\Seen'}, 'number 9')
    same(after[8][0], before[8][0], 'UID')
    told = lab.account_status('alice')['refusals']
    check(not [r for r in told if 'conflict' in r['why']], 'undone: %r', told)
    return 'our word stands after status 7'


def other_device(lab, n, words):
    """Another device of alice gives a mail these Categories."""
    c = easclient.Client(lab.server.url, lab.server.ca, 'alice@example.test',
                         lab.server.password('alice'), device='OTHER1')
    inbox = c.folders()['Inbox']
    key, items = c.all(inbox)
    for server_id, data in items.items():
        if data.value('email:Subject') == 'Number %d' % n:
            c.sync(inbox, key, get=0, commands=(
                '<Change><ServerId>%s</ServerId><ApplicationData>'
                '<email:Categories>%s</email:Categories></ApplicationData>'
                '</Change>' % (server_id, ''.join(
                    '<email:Category>%s</email:Category>' % w
                    for w in words))))
            c.close()
            return
    raise KeyError(n)


def step_categories_on_both_sides(lab):
    """What one side adds and the other removes is both done (status 7)."""
    before = view(lab)
    c = lab.imap('alice', 'INBOX')
    c.store(before[1][0], '+', ['both'])
    c.logout()
    lab.wait_for(lambda: 'both' in lab.server.keywords('alice', item(lab, 1)),
                 20, 'the first categories')
    agree(lab)
    have = lab.server.keywords('alice', item(lab, 1))
    cut_off(lab, 'status:503')
    c = lab.imap('alice', 'INBOX')
    c.store(before[1][0], '+', ['ours'])
    c.store(before[1][0], '-', ['both'])
    c.logout()
    lab.server.mischief_clear()
    lab.daemon.kill()
    other_device(lab, 1, sorted(have | {'theirs'}))
    lab.start()
    after = agree(lab)['INBOX']
    want = (have - {'both'}) | {'ours', 'theirs'}
    same(lab.server.keywords('alice', item(lab, 1)), want, 'categories')
    c = lab.imap('alice', 'INBOX')
    got = [d['FLAGS'] for d in c.all('(UID FLAGS)').values()
           if d['UID'] == after[1][0]][0]
    c.logout()
    same({str(f) for f in got if str(f)[0] not in '\\$'}, want, 'keywords')
    return 'both changes stand: %s' % ' '.join(sorted(want))


# ---- eviction ----

HURRY = {'SEALPOST_FAULT_HURRY': '200'}


def limit(lab, value):
    """Another cache_size, on the living store."""
    with open(lab.conf) as f:
        lines = [x for x in f.read().splitlines()
                 if not x.startswith('cache_size')]
    with open(lab.conf, 'w') as f:
        f.write('\n'.join(['cache_size = %s' % value] + lines) + '\n')
    lab.ctl('reload')


def files(lab):
    return sum(len(names) for path, _, names in os.walk(lab.dir)
               if os.path.basename(os.path.dirname(path)) == 'body'
               and 'state' in path)


def bodies(lab):
    """{UID: bytes} as a client reads them."""
    c = lab.imap('alice', 'INBOX')
    try:
        return {d['UID']: bytes([v for k, v in d.items()
                                 if k.startswith('BODY[')][0])
                for d in c.all('(UID BODY.PEEK[])').values()}
    finally:
        c.logout()


def fetches(lab):
    return len([r for r in lab.server.log()
                if r['command'] == 'ItemOperations'])


def step_eviction(lab):
    lab.restart(HURRY)
    before = bodies(lab)
    check(files(lab) >= len(before), 'bodies are not here')
    limit(lab, 1)
    lab.wait_for(lambda: files(lab) == 0, 10, 'all are evicted')
    check(lab.is_settled('alice'), 'the backfill brings them back')
    asked = fetches(lab)
    c = lab.imap('alice', 'INBOX')
    got = c.all('(UID RFC822.SIZE ENVELOPE BODYSTRUCTURE)')
    c.logout()
    same({d['UID']: d['RFC822.SIZE'] for d in got.values()},
         {u: len(b) for u, b in before.items()}, 'sizes')
    same(fetches(lab), asked, 'requests for bodies')
    # an open view answers from memory; after kill -9 there is none
    lab.restart(HURRY, kill=True)
    same(bodies(lab), before, 'bodies that came back')
    check(fetches(lab) > asked, 'nothing was fetched again')
    return '%d bodies left and came back the same' % len(before)


def step_eviction_and_rebuilt_mime(lab):
    lab.restart(HURRY, kill=True)
    lab.wait_for(lambda: files(lab) == 0, 10, 'all are evicted')
    before = view_numbers(lab)
    lab.server.mischief('rebuild', times=0)
    c = lab.imap('alice', 'INBOX')
    c.store(before[10], '+', ['work'])
    c.logout()
    for n in (10, 11):
        look(lab, before[n])
    lab.restart(HURRY, kill=True)
    look(lab, before[0])
    lab.wait_for(lambda: lab.account_status('alice')['cache_problem'], 10,
                 'status says that the server cannot repeat itself')
    check('the same bytes' in lab.ctl('status', as_json=False), 'no warning')
    now = view_numbers(lab)
    same(len(now), len(before), 'messages')
    for n in before:
        if n in (10, 11, 0):
            check(now[n] > max(before.values()), 'number %d kept its UID', n)
    kept = files(lab)
    check(kept > 0, 'bodies are evicted still')
    lab.wait_for(lambda: lab.is_settled('alice'), 20, 'the journal is empty')
    same(lab.server.keywords('alice', item(lab, 10)), {'work', 'round5'},
         'categories')
    time.sleep(1)
    check(files(lab) >= kept, 'evicted although it cannot be had again')
    lab.server.mischief_clear()
    return 'three new UIDs, then nothing leaves any more'


def view_numbers(lab):
    """{number: UID}, by what was recorded: no body is asked for."""
    c = lab.imap('alice', 'INBOX')
    try:
        return {int(str(d['ENVELOPE'][9]).split('<s')[1].split('@')[0]):
                d['UID'] for d in c.all('(UID ENVELOPE)').values()}
    finally:
        c.logout()


def look(lab, uid):
    """Reads one; it may come back under a new UID instead."""
    c = lab.imap('alice', 'INBOX')
    try:
        c.uid_fetch(str(uid), '(BODY.PEEK[])')
    except Exception as e:  # noqa: BLE001 - NO is an answer here
        print('# UID %d: %s' % (uid, str(e)[:100]))
    finally:
        c.logout()


if __name__ == '__main__':
    sys.exit(run('S6 flags on both sides', [
        step_mind_changed_after_a_lost_answer, step_both_sides,
        step_days_offline, step_conflict,
        step_categories_on_both_sides, step_eviction,
        step_eviction_and_rebuilt_mime]))
