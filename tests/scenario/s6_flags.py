#!/usr/bin/python3
"""Scenario 6: flags and categories against another device, lost answers and
changed minds, and days without a network."""
import sys

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


if __name__ == '__main__':
    sys.exit(run('S6 flags on both sides', [
        step_mind_changed_after_a_lost_answer, step_both_sides,
        step_days_offline]))
