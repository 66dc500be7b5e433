# End to end: the daemon against a server, asked as a mail program asks.
EXTRA_DIST += \
	tests/e2e/bad_input.py tests/e2e/imapwire.py tests/e2e/lab.py \
	tests/e2e/mails.py tests/e2e/pki.py tests/e2e/proc.py tests/e2e/run \
	tests/e2e/servers.py tests/e2e/suite.py tests/e2e/tap.py
