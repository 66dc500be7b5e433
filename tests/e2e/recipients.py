#!/usr/bin/python3
"""Certificates from the server: lists, and what the server says of them.

    recipients.py [16.1 | 16.0 | 14.1 | 14.0]
"""
import os
import shutil
import sys
import time

from lab import Lab
from servers import address
from tap import Tap, check, same

PEOPLE = {'bob': 'bob-enc', 'ivan': 'ivan-dual', 'frank': 'frank-revoked',
          'nora': None}
LISTS = {'team': ('bob', 'ivan'), 'halves': ('bob', 'nora'),
         'spoiled': ('bob', 'frank')}


class Box:
    def __init__(self, lab):
        self.lab = lab
        self.server = lab.server
        self.pki = lab.pki
        self.serial = 0

    def message(self, to):
        self.serial += 1
        ident = '<r%d.%d@recipients.example.test>' % (self.serial, time.time())
        return ('From: alice@example.test\r\nTo: %s\r\nSubject: Sealed\r\n'
                'Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n'
                'Message-ID: %s\r\nX-Sealpost: sign=yes; encrypt=yes\r\n\r\n'
                'for their eyes only\r\n' % (to, ident)).encode(), ident

    def send(self, who):
        raw, ident = self.message(address(who))
        self.lab.submit('alice', raw, [address(who)])
        return ident

    def refused(self, who, *words):
        before = len(self.server.items('alice', 'Sent'))
        try:
            self.send(who)
        except Exception as e:  # of smtplib, whatever it was refused at
            for w in words:
                check(w in str(e), '%s: said %s', who, e)
            same(len(self.server.items('alice', 'Sent')), before,
                 'sent mails')
            return str(e)
        raise AssertionError('mail to %s was not refused' % who)

    def delivered(self, who, ident):
        def look():
            return [i for i in self.server.items(who)
                    if i.header('Message-ID') == ident]
        got = self.lab.wait_for(look, 15, '%s at %s' % (ident, who))
        same(len(got), 1, 'copies')
        return got[0]

    def asked(self, command):
        return sum(r['command'] == command for r in self.server.log())


def step_one_person(b):
    before = b.asked('ValidateCert')
    ident = b.send('bob')
    item = b.delivered('bob', ident)
    same(b.pki.recipients(item.raw),
         {b.pki.serial('bob-enc'), b.pki.serial('alice-enc')}, 'recipients')
    check(b.asked('ValidateCert') > before, 'ValidateCert was not asked')
    before = b.asked('ValidateCert')
    b.delivered('bob', b.send('bob'))
    same(b.asked('ValidateCert'), before, 'asked again the same day')
    return 'by ResolveRecipients, validated once a day'


def step_revoked(b):
    told = b.refused('frank', 'revoked')
    check(b.asked('SendMail') == 2, 'SendMail: %d', b.asked('SendMail'))
    return told[:80]


def step_no_certificate(b):
    b.refused('nora', 'nora@example.test')
    return 'refused, and named'


def step_list(b):
    ident = b.send('team')
    for who in LISTS['team']:
        item = b.delivered(who, ident)
        same(b.pki.recipients(item.raw),
             {b.pki.serial('bob-enc'), b.pki.serial('ivan-dual'),
              b.pki.serial('alice-enc')}, 'RecipientInfos by openssl')
        check(b'eyes only' not in item.raw, 'the text is readable')
        inner = b.pki.decrypt(PEOPLE[who], item.raw)
        same(b.pki.signer(inner), ['alice@example.test'], 'the signer')
    return 'one mail, for each member and Alice; each member reads it'


def step_list_of_halves(b):
    b.refused('halves', 'halves@example.test')
    same([i for i in b.server.items('nora')], [], 'mail of Nora')
    return 'a member without a certificate: nobody gets it'


def step_list_with_a_revoked_member(b):
    b.refused('spoiled')
    same([i for i in b.server.items('frank')], [], 'mail of Frank')
    return 'a member whose certificate is revoked: nobody gets it'


STEPS = (step_one_person, step_revoked, step_no_certificate, step_list,
         step_list_of_halves, step_list_with_a_revoked_member)


def main(argv):
    version = argv[0] if argv else '16.1'
    tap = Tap('certificates from the server at %s' % version)
    with Lab('recipients', 'sandbox:' + version) as lab:
        root, pki = lab.server.root, lab.pki
        lab.server.add_user('alice')
        for who, cert in PEOPLE.items():
            lab.server.add_user(who, [pki.pem(cert)] if cert else ())
        for name, members in LISTS.items():
            with open(os.path.join(root, 'lists', address(name)), 'w') as f:
                f.write(''.join(address(m) + '\n' for m in members))
        shutil.copy(pki.path('chain.pem'), os.path.join(root, 'trust.pem'))
        with open(os.path.join(root, 'crl.pem'), 'w') as f:
            for crl in ('issuing', 'root'):
                with open(pki.path('crl/%s.crl.pem' % crl)) as g:
                    f.write(g.read())
        lab.server.start()
        lab.add_account('alice')
        lab.start()
        tap.run(STEPS, Box(lab))
        lab.failed |= tap.failed > 0
        status = tap.end()
    return status


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
