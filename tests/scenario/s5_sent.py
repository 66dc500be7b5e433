#!/usr/bin/python3
"""Scenario 5: Sent shows what left, once. The server's copy comes before and
after SendMail's answer, never, with another Message-ID, with other bytes; the
answer is lost; a relay sends equal alerts; also with kill -9."""
import base64
import os
import re
import sys
import time

from agree import check, same
from lab import Lab
from servers import header
from tap import Tap


def message(n, subject=None, text=None, more=''):
    return ('From: Alice <alice@example.test>\r\nTo: Bob <bob@example.test>'
            '\r\nSubject: %s\r\nMessage-ID: <s%d@example.test>\r\n%s'
            'X-Written-By: scenario five\r\n'
            'Date: Mon, 2 Jan 2006 15:04:05 +0100\r\n\r\n%s\r\n'
            % (subject or 'Sent %d' % n, n, more,
               text or 'text of message %d' % n)).encode()


def send(lab, n, to=('bob@example.test',), **how):
    return lab.submit('alice', message(n, **how), list(to))


def shown(lab, user='alice'):
    """[(UID, flags, bytes)] of Sent."""
    c = lab.imap(user, 'Sent')
    try:
        return [(d['UID'], {str(f) for f in d['FLAGS']}, bytes(d['BODY[]']))
                for d in c.all('(UID FLAGS BODY.PEEK[])').values()]
    finally:
        c.logout()


def of(entries, subject):
    return [e for e in entries if header(e[2], 'Subject') == subject]


def one(lab, subject, user='alice'):
    got = of(shown(lab, user), subject)
    same(len(got), 1, 'entries of %r' % subject)
    return got[0]


def copies(lab, subject):
    return [i for i in lab.server.items('alice', 'Sent')
            if i.header('Subject') == subject]


def bound(lab, subject, uid, copy=1):
    """A flag of the entry reaches the server's copy: they are one."""
    same(len(copies(lab, subject)), copy, 'copies at the server')
    c = lab.imap('alice', 'Sent')
    c.store(uid, '+', ['\\Flagged'])
    c.logout()
    lab.wait_for(lambda: '\\Flagged' in copies(lab, subject)[0].flags, 30,
                 'the flag at the server')


def quiet(lab):
    lab.wait_for(lambda: lab.is_settled('alice'), 30, 'settled')


def the_bytes(entry, n):
    check(b'X-Written-By: scenario five\r\n' in entry[2]
          and b'text of message %d\r\n' % n in entry[2]
          and b'<s%d@example.test>' % n in entry[2], 'other bytes: %r',
          entry[2])


def step_at_once(lab):
    c = lab.imap('alice', 'Sent')
    send(lab, 1)
    c.command('NOOP')
    entry = one(lab, 'Sent 1')
    the_bytes(entry, 1)
    c.logout()
    bound(lab, 'Sent 1', entry[0])
    same(one(lab, 'Sent 1')[0], entry[0], 'its UID')
    return 'there with the answer of SMTP, UID %d' % entry[0]


def step_copy_after_the_answer(lab):
    lab.server.mischief('sent-late:3000', 'SendMail')
    send(lab, 2)
    entry = one(lab, 'Sent 2')
    same(len(copies(lab, 'Sent 2')), 0, 'copies so early')
    lab.wait_for(lambda: copies(lab, 'Sent 2'), 20, 'the copy')
    bound(lab, 'Sent 2', entry[0])
    the_bytes(one(lab, 'Sent 2'), 2)
    same(one(lab, 'Sent 2')[0], entry[0], 'its UID')
    return 'bound when it came'


def step_copy_before_the_answer(lab):
    lab.server.mischief('late:6000', 'SendMail')
    smtp = lab.smtp('alice')
    smtp.mail('alice@example.test')
    smtp.rcpt('bob@example.test')
    smtp.docmd('DATA')
    smtp.send(message(3) + b'.\r\n')
    lab.wait_for(lambda: copies(lab, 'Sent 3'), 20, 'the copy')
    lab.wait_for(lambda: of(shown(lab), 'Sent 3'), 20, 'the entry')
    entry = one(lab, 'Sent 3')
    same(lab.queue('alice'), 1, 'still under way')
    code, _ = smtp.getreply()
    same(code, 250, 'the answer')
    smtp.quit()
    the_bytes(entry, 3)
    bound(lab, 'Sent 3', entry[0])
    same(one(lab, 'Sent 3')[0], entry[0], 'its UID')
    return 'shown while SendMail was open, once'


def step_other_message_id(lab):
    lab.server.mischief('sent-message-id', 'SendMail')
    send(lab, 4)
    entry = one(lab, 'Sent 4')
    lab.wait_for(lambda: copies(lab, 'Sent 4'), 20, 'the copy')
    check('s4@' not in copies(lab, 'Sent 4')[0].header('Message-ID'),
          'no mischief')
    bound(lab, 'Sent 4', entry[0])
    the_bytes(one(lab, 'Sent 4'), 4)
    return 'known by its body'


def step_other_bytes_and_id(lab):
    lab.server.mischief('sent-message-id', 'SendMail')
    lab.server.mischief('sent-bytes', 'SendMail')
    send(lab, 5)
    entry = one(lab, 'Sent 5')
    bound(lab, 'Sent 5', entry[0])
    the_bytes(one(lab, 'Sent 5'), 5)
    return 'known by subject, recipients and time'


def step_sealed_with_other_id(lab):
    lab.server.mischief('sent-message-id', 'SendMail')
    send(lab, 6, to=['bob@example.test', 'carol@example.test'],
         more='X-Sealpost: sign=yes; encrypt=yes\r\n')
    lab.wait_for(lambda: copies(lab, 'Sent 6'), 20, 'the copy')
    entry = one(lab, 'Sent 6')
    check(b'text of message 6' in entry[2], 'not readable: %r', entry[2])
    check(b'Bcc: carol@example.test\r\n' in entry[2], 'Bcc: %r',
          entry[2][:900])
    for i in lab.server.items('bob') + copies(lab, 'Sent 6'):
        check(b'carol' not in i.raw, 'Bcc left: %r', i.raw[:900])
    bound(lab, 'Sent 6', entry[0])
    raw = copies(lab, 'Sent 6')[0].raw
    check(b'text of message 6' not in raw, 'it left in clear')
    return 'decrypted as usual, Bcc shown to us alone'


def step_answer_lost(lab):
    lab.server.mischief('drop-after', 'SendMail')
    send(lab, 7)
    lab.wait_for(lambda: lab.queue('alice') == 0, 60, 'the queue')
    quiet(lab)
    entry = one(lab, 'Sent 7')
    the_bytes(entry, 7)
    bound(lab, 'Sent 7', entry[0])
    same(len([i for i in lab.server.items('bob')
              if i.header('Subject') == 'Sent 7']), 1, 'delivered')
    return 'found in Sent, sent once, shown once'


def step_killed_after_sending(lab):
    lab.server.mischief('late:8000', 'SendMail')
    smtp = lab.smtp('alice')
    smtp.mail('alice@example.test')
    smtp.rcpt('bob@example.test')
    smtp.docmd('DATA')
    smtp.send(message(8) + b'.\r\n')
    lab.wait_for(lambda: copies(lab, 'Sent 8'), 20, 'the copy')
    lab.daemon.kill()
    lab.server.mischief_clear()
    lab.start()
    lab.wait_for(lambda: lab.queue('alice') == 0, 90, 'the queue')
    quiet(lab)
    entry = one(lab, 'Sent 8')
    the_bytes(entry, 8)
    bound(lab, 'Sent 8', entry[0])
    same(len([i for i in lab.server.items('bob')
              if i.header('Subject') == 'Sent 8']), 1, 'delivered')
    return 'one delivered, one shown'


def step_no_copy(lab):
    lab.server.mischief('sent-none', 'SendMail')
    send(lab, 9)
    entry = one(lab, 'Sent 9')
    check('$LocalOnly' not in entry[1], 'called local too early')
    lab.restart(kill=True)
    same(one(lab, 'Sent 9')[0], entry[0], 'its UID after a kill')
    # A day is two seconds now.
    lab.restart(env={'SEALPOST_FAULT_HURRY': '43200'})
    time.sleep(2.5)
    send(lab, 10)
    lab.wait_for(lambda: '$LocalOnly' in one(lab, 'Sent 9')[1], 40,
                 '$LocalOnly')
    the_bytes(one(lab, 'Sent 9'), 9)
    lab.restart()
    return 'local after its day'


def step_append_and_flags(lab):
    send(lab, 11)
    c = lab.imap('alice', 'Sent')
    raw = message(11, more='Bcc: carol@example.test\r\n')
    text, _ = c.append('Sent', raw, ['\\Seen', '\\Flagged'])
    m = re.search(r'\[APPENDUID \d+ (\d+)\]', text)
    again, _ = c.append('Sent', raw, ['\\Seen'])
    same(again, text, 'the same APPENDUID again')
    c.logout()
    entry = one(lab, 'Sent 11')
    check(m and int(m.group(1)) == entry[0], 'APPENDUID: %s', text)
    lab.wait_for(lambda: '\\Flagged' in copies(lab, 'Sent 11')[0].flags, 20,
                 'the flag at the server')
    return 'APPENDUID %d, twice' % entry[0]


def step_append_elsewhere(lab):
    c = lab.imap('alice', 'Sent')
    c.command('CREATE Kept')
    text, _ = c.append('Kept', message(11), ['\\Answered'])
    m = re.search(r'\[APPENDUID \d+ (\d+)\]', text)
    check(m, 'APPENDUID: %s', text)
    c.select('Kept')
    d = c.uid_fetch(int(m.group(1)), '(FLAGS BODY.PEEK[])')
    d = d[int(m.group(1))]
    same(bytes(d['BODY[]']), one(lab, 'Sent 11')[2], 'the bytes of the entry')
    check({'\\Answered', '$LocalOnly'} <= {str(f) for f in d['FLAGS']},
          'flags %s', d['FLAGS'])
    try:
        c.append('Kept', message(99))
    except Exception as e:
        check('CANNOT' in str(e), 'refused with: %s', e)
    else:
        raise AssertionError('what was never sent was taken')
    c.logout()
    with open(lab.conf) as f:
        conf = f.read()
    with open(lab.conf, 'w') as f:
        f.write("append = 'local'\n" + conf)
    lab.ctl('reload')
    c = lab.imap('alice', 'Kept')
    text, _ = c.append('Kept', message(99), ['\\Seen'])
    m = re.search(r'\[APPENDUID \d+ (\d+)\]', text)
    c.logout()
    quiet(lab)
    lab.restart(kill=True)
    c = lab.imap('alice', 'Kept')
    check(b'text of message 99' in c.body(int(m.group(1))), 'the bytes')
    c.logout()
    same([i for i in lab.server.items('alice', 'Kept')], [], 'at the server')
    return 'a copy of the entry; else refused, or local as configured'


def on_disk(lab, words):
    """Files of the account that hold one of these, in any usual coding."""
    found = []
    forms = set()
    for w in words:
        forms.add(w)
        for shift in range(3):
            forms.add(base64.b64encode(b'x' * shift + w)[4:-4])
    for where, _, names in os.walk(os.path.join(lab.dir, 'state')):
        for name in names:
            with open(os.path.join(where, name), 'rb') as f:
                data = f.read()
            found += [(name, w) for w in forms if w in data]
    return found


def step_secret_draft(lab):
    """Carol encrypts always: her drafts stay here, under the data key."""
    words = [b'ultramarine-subject', b'ultramarine-text']
    raw = (b'From: carol@example.test\r\nTo: bob@example.test\r\n'
           b'Subject: ultramarine-subject\r\n'
           b'Message-ID: <d1@example.test>\r\n\r\nultramarine-text\r\n')
    c = lab.imap('carol', 'Drafts')
    text, _ = c.append('Drafts', raw, ['\\Draft', '\\Seen'])
    m = re.search(r'\[APPENDUID \d+ (\d+)\]', text)
    check(m, 'APPENDUID: %s', text)
    uid = int(m.group(1))
    c.command('NOOP')
    got = bytes(c.body(uid))
    check(words[1] in got, 'not readable')
    same(len(c.search('SUBJECT ultramarine-subject')), 1, 'found')
    c.logout()
    same(on_disk(lab, words), [], 'in the clear on the disk')
    check(on_disk(lab, [b'text of message 11']), 'the search finds nothing')
    lab.restart(kill=True)
    same(on_disk(lab, words), [], 'in the clear on the disk, after a kill')
    c = lab.imap('carol', 'Drafts')
    same(bytes(c.body(uid)), got, 'the bytes after a kill')
    flags = {str(f) for f in c.uid_fetch(uid, 'FLAGS')[uid]['FLAGS']}
    check({'$LocalOnly', '\\Draft'} <= flags, 'flags %s', flags)
    expunge = 'UID EXPUNGE %d' % uid
    c.store(uid, '+', ['\\Deleted'])
    c.command(expunge)
    c.logout()
    for folder in ('Drafts', 'Trash'):
        same(lab.server.items('carol', folder), [], 'at the server')
    return 'readable, and on no disk but under the key; gone for good'


def alerts(lab, n):
    raw = message(12, 'Alert', 'the same each time').replace(
        b'Message-ID: <s12@example.test>\r\n', b'')
    smtp = lab.smtp('alice')
    for _ in range(n):
        smtp.sendmail('alice@example.test', ['bob@example.test'], raw)
    smtp.quit()


def step_equal_alerts(lab):
    n = 1000 if '--full' in sys.argv else 60
    alerts(lab, n)
    lab.wait_for(lambda: lab.queue('alice') == 0, 300, 'the queue')
    lab.wait_for(lambda: len(copies(lab, 'Alert')) == n, 60, 'the copies')
    quiet(lab)
    same(len(of(shown(lab), 'Alert')), n, 'entries')
    same(len([i for i in lab.server.items('bob')
              if i.header('Subject') == 'Alert']), n, 'delivered')
    return '%d sent, delivered, shown' % n


def step_view_and_server_agree(lab):
    quiet(lab)
    entries = [e for e in shown(lab) if '$LocalOnly' not in e[1]]
    items = lab.server.items('alice', 'Sent')
    same(sorted(header(e[2], 'Subject') for e in entries),
         sorted(i.header('Subject') for i in items), 'Sent')
    c = lab.imap('alice', 'Sent')
    for uid in [e[0] for e in entries]:
        c.store(uid, '+', ['\\Deleted'])
    c.command('EXPUNGE')
    c.logout()
    quiet(lab)
    same(len(lab.server.items('alice', 'Sent')), 0, 'left at the server')
    return '%d entries, each one item' % len(entries)


STEPS = [step_at_once, step_copy_after_the_answer,
         step_copy_before_the_answer, step_other_message_id,
         step_other_bytes_and_id, step_sealed_with_other_id,
         step_answer_lost, step_killed_after_sending, step_no_copy,
         step_append_and_flags, step_append_elsewhere, step_secret_draft,
         step_equal_alerts,
         step_view_and_server_agree]


def main():
    tap = Tap('S5 sent')
    with Lab('s5', 'sandbox') as lab:
        for user in ('alice', 'bob', 'carol'):
            lab.server.add_user(user)
        lab.server.start()
        lab.add_account('alice')
        lab.add_account('carol', settings=['encrypt=always'])
        for user in ('bob', 'carol'):
            lab.add_certificate('alice', user + '-enc', user)
        lab.start()
        quiet(lab)
        tap.run(STEPS, lab)
        lab.failed |= tap.failed > 0
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
