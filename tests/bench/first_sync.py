"""Suites sync, listing and push: a first sync against plain libcurl, a large
folder, and how fast new mail is told."""
import json
import os
import subprocess
import time

from lab import Lab
from mailbox import fill, mail
from measure import Row, cpu_s, median, peak_kb, pss_kb
from own import quiet
import proc
from servers import address


def raw(lab, *batches):
    """tests/bench/eas_loop: the same requests, nothing kept."""
    return json.loads(subprocess.check_output(
        [proc.program('tests/bench/eas_loop'), lab.server.url, lab.server.ca,
         address('alice'), lab.server.password('alice'), '512']
        + [str(b) for b in batches]))


def prepare(lab, count, size):
    quiet(lab)
    lab.server.add_user('alice')
    total = fill(os.path.join(lab.server.root, address('alice'), 'INBOX'),
                 count, size)
    lab.server.start()
    lab.add_account('alice', keys=[])
    return total


def forget(lab):
    """The store goes aside, so that the next start is a first one again. It
    is not removed: ext4 looks for a free inode past each one that was freed
    in the last minutes, which would count against the next run."""
    path = os.path.join(lab.dir, 'state', 'accounts')
    n = 0
    while os.path.exists(path + '.%d' % n):
        n += 1
    if os.path.exists(path):
        os.rename(path, path + '.%d' % n)


def whole(lab):
    """Starts a daemon without a store; seconds until all of it is here."""
    began = time.perf_counter()
    lab.start()
    lab.wait_for(lambda: lab.is_settled('alice'), 900, 'the first sync', 0.2)
    return time.perf_counter() - began


def sync(args):
    count = args.messages or (100 if args.quick else 5000)
    with Lab('bench-sync', 'sandbox:16.1') as lab:
        total = prepare(lab, count, 10000)
        raw(lab)  # the sandbox has read its files once
        took, one, batch, peak, grown = [], [], [], [], []
        cpu, alone = [], []
        for _ in range(args.count):
            before = cpu_s(lab.server.process.pid)
            told = raw(lab, 1, 50)
            alone.append(cpu_s(lab.server.process.pid) - before)
            for many, out in ((1, one), (50, batch)):
                out.append(told['seconds']
                           + told['fetch_%d' % many]['seconds'])
            forget(lab)
            took.append(whole(lab))
            pid = lab.daemon.pid
            cpu.append(cpu_s(pid))
            peak.append(peak_kb(pid) / 1024)
            grown.append(pss_kb(pid) / 1024)
            lab.stop()
    for name, peer in (('one request each', one), ('batches of 50', batch)):
        yield Row('first sync, messages a second', count / median(took),
                  count / median(peer), 'plain libcurl, ' + name, True)
    yield Row('first sync, MB a second', total / median(took) / 1e6,
              total / median(batch) / 1e6, 'plain libcurl, batches of 50',
              True)
    yield Row('first sync, CPU us a message, daemon',
              median(cpu) * 1e6 / count, None, 'no peer')
    yield Row('first sync, peak memory, MB', median(peak), None, 'no peer')
    yield Row('after it, PSS, MB', median(grown), None, 'no peer')


def listing(args):
    count = args.messages or (200 if args.quick else 50000)
    with Lab('bench-list', 'sandbox:16.1') as lab:
        prepare(lab, count, 400)
        raw(lab)
        ours, alone, told, cpu, memory = [], [], set(), [], []
        for _ in range(args.count):
            alone.append(raw(lab)['seconds'])
            forget(lab)
            lab.start()
            began = time.perf_counter()
            imap = lab.imap('alice')
            exists = imap.select('INBOX')['EXISTS']
            ours.append(time.perf_counter() - began)
            cpu.append(cpu_s(lab.daemon.pid))
            memory.append(pss_kb(lab.daemon.pid) / 1024)
            if exists != count:
                raise AssertionError('%d of %d listed' % (exists, count))
            told |= {r.tokens[1] for r in imap.untagged
                     if 'INPROGRESS' in str(r.tokens)}
            imap.close()
            lab.stop()
    yield Row('listing of %d until SELECT is answered, s' % count,
              median(ours), median(alone), 'the sandbox alone, same requests',
              wanted=1 / 1.5)
    yield Row('its CPU, daemon, s', median(cpu), None, 'no peer')
    yield Row('PSS when it is listed, MB a 10,000 messages',
              median(memory) * 10000 / count, None, 'no peer')
    yield Row('lines of progress told to the client', len(told), None,
              'no peer')


def push(args):
    times = 3 if args.quick else 50
    took = []
    with Lab('bench-push', 'sandbox:16.1') as lab:
        prepare(lab, 20, 2000)
        lab.start()
        lab.wait_for(lambda: lab.is_settled('alice'), 60, 'the first sync')
        imap = lab.imap('alice', 'INBOX')
        imap.idle()
        new = os.path.join(lab.server.root, address('alice'), 'INBOX')
        for n in range(times):
            time.sleep(0.3)  # the daemon is back in Ping
            raw_mail = mail(1000 + n, 2000)
            name = '%d.M%dP2.bench' % (time.time(), n)
            with open(os.path.join(new, 'tmp', name), 'wb') as f:
                f.write(raw_mail)
            began = time.time()
            os.rename(os.path.join(new, 'tmp', name),
                      os.path.join(new, 'new', name))
            if not imap.idle_wait(lambda r: r.word == 'EXISTS', 30):
                raise AssertionError('new mail was not told')
            seen = time.time()
            took.append((seen - began) * 1000)
        imap.done()
        imap.close()
    yield Row('mail dropped until EXISTS at an idle client, ms, median',
              median(took), 100,
              "the bound for the part after Ping's answer", wanted=1)
    # The whole way, so what comes after Ping's answer is below it.
    yield Row('the same, worst of %d' % times, max(took), 100,
              "the bound for the part after Ping's answer", wanted=1)


def idle(args):
    """What a client costs that idles in a large mailbox, and how soon the
    last of many hears of a change."""
    count = args.messages or (200 if args.quick else 20000)
    clients = 10 if args.quick else 100

    def connected(lab):
        imap = lab.imap('alice', 'INBOX')
        imap.idle()
        return imap

    with Lab('bench-idle', 'sandbox:16.1',
             'max_imap_clients = %d\n' % (clients + 50)) as lab:
        prepare(lab, count, 400)
        lab.start()
        other = lab.imap('alice', 'INBOX')
        all_of = [connected(lab) for _ in range(5)]
        before = pss_kb(lab.daemon.pid)
        all_of += [connected(lab) for _ in range(clients)]
        cost = (pss_kb(lab.daemon.pid) - before) / clients
        took, cpu = [], []
        for turn in range(args.count):
            used = cpu_s(lab.daemon.pid)
            began = time.perf_counter()
            other.store('5', '-' if turn % 2 else '+', ['\\Flagged'])
            for imap in all_of:
                if not imap.idle_wait(lambda r: 'FETCH' in str(r.tokens), 30):
                    raise AssertionError('a change was not told')
            took.append((time.perf_counter() - began) * 1000)
            cpu.append((cpu_s(lab.daemon.pid) - used) * 1000)
        for imap in all_of + [other]:
            imap.close()
    yield Row('idle connection in %d messages, KB PSS' % count, cost, 16,
              'the bound', wanted=1)
    yield Row('flag told to the last of %d idle clients, ms' % len(all_of),
              median(took), None, 'no peer')
    yield Row('its CPU, daemon, ms', median(cpu), None, 'no peer')
