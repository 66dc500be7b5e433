def imap(args):
    return
    yield
smtp = imap
