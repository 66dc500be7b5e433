"""The faults, by the names of the table's columns, as the sandbox is told
them (doc/sealpost-sandbox.1), and the ends that the table names."""

POLICY = (b'<provision:EASProvisionDoc><AllowHTMLEmail>1</AllowHTMLEmail>'
          b'</provision:EASProvisionDoc>')

# name -> (what the sandbox does, how often; 0: for ever)
FAULTS = {
    '401': ('status:401', 1),
    '403': ('status:403', 1),
    '403-always': ('status:403', 0),
    '449': ('449', 1),
    '451': ('451:%(moved)s', 1),
    '500': ('status:500', 1),
    '502-html': ('status:502', 2),
    '503': ('status:503', 1),
    'retry-after': ('retry-after:1', 1),
    'throttle': ('throttle:1', 1),
    'drop-before': ('drop-before', 1),
    'drop-after': ('drop-after', 1),
    'cut-0': ('cut:0', 1),
    'cut-1': ('cut:1', 1),
    'cut-7': ('cut:7', 1),
    'cut-half': ('cut', 1),
    'truncate': ('truncate', 1),
    'corrupt': ('corrupt', 1),
    'type': ('type:text/plain', 1),
    'html': ('html', 1),
    'empty': ('empty', 1),
    'delay': ('delay:700', 1),
    'late': ('late:700', 1),
    'reset-key': ('reset-key', 1),
    'forget': ('forget-device', 1),
    'policy': ('policy', 1),
    'wipe': ('wipe', 1),
}

OTHERS = ('14.0', '14.1', '16.0')   # versions; the rest of the table is 16.1
CUTS = 256      # no answer of interest is longer


def do_of(fault):
    """Also cut@N: after N bytes."""
    if fault.startswith('cut@'):
        return 'cut:%s' % fault[4:], 1
    return FAULTS[fault]


# name -> (state, code, words of the error)
ERRORS = {
    'login': ('stopped', 'E_LOGIN', 'refused name or password'),
    'unread': ('waiting', 'E_DENIED', 'may not use ActiveSync'),
    'refused': ('waiting', None, 'may not use ActiveSync'),
    'nocert': ('waiting', None, 'no certificate was found'),
    'queued': ('waiting', None, 'cannot be asked for now'),
    'denied': ('stopped', 'E_DENIED', 'may not use ActiveSync'),
    'wiped': ('error', 'E_DENIED', 'wiped'),
}
