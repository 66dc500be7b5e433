# End to end: the daemon against a server, asked as a mail program asks.
E2E_TESTS = tests/e2e/bad_input.py tests/e2e/logins.py \
	tests/e2e/policy.py tests/e2e/recipients.py \
	tests/e2e/reload.py \
	tests/e2e/test_sandbox_14_1.py \
	tests/e2e/test_sandbox_16_1.py
TESTS += $(E2E_TESTS)
EXTRA_DIST += $(E2E_TESTS) \
	tests/e2e/find.py tests/e2e/imapwire.py tests/e2e/lab.py tests/e2e/mails.py \
	tests/e2e/pki.py tests/e2e/proc.py tests/e2e/run tests/e2e/servers.py \
	tests/e2e/suite.py tests/e2e/tap.py
