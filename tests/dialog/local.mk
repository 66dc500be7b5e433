# Dialogues played against the real daemon and the sandbox (run.py says how
# they are written). A directory is one test.
EXTRA_DIST += tests/dialog/run.py tests/dialog/smtp.py tests/dialog/smtp
TESTS += tests/dialog/smtp.py
