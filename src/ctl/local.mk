noinst_LIBRARIES += libsp_ctl.a
libsp_ctl_a_SOURCES = \
	src/ctl/alone.c \
	src/ctl/args.c \
	src/ctl/call.c \
	src/ctl/cmd_account.c \
	src/ctl/cmd_cert.c \
	src/ctl/cmd_config.c \
	src/ctl/cmd_key.c \
	src/ctl/cmd_mime.c \
	src/ctl/cmd_oof.c \
	src/ctl/cmd_queue.c \
	src/ctl/cmd_remove.c \
	src/ctl/cmd_search.c \
	src/ctl/cmd_smime_open.c \
	src/ctl/cmd_smime_seal.c \
	src/ctl/cmd_status.c \
	src/ctl/cmd_wbxml.c \
	src/ctl/commands.c \
	src/ctl/input.c \
	src/ctl/keyfiles.c \
	src/ctl/print.c \
	src/ctl/private.h \
	src/ctl/rights.c

bin_PROGRAMS += sealpostctl
sealpostctl_SOURCES = src/ctl/main.c
sealpostctl_LDADD = libsp_ctl.a $(LINK_6)

check_PROGRAMS += tests/unit/test_ctl
TESTS += tests/unit/test_ctl
tests_unit_test_ctl_SOURCES = tests/unit/test_ctl.c
tests_unit_test_ctl_LDADD = libsp_test.a libsp_ctl.a $(LINK_6)

TESTS += tests/unit/test_ctl_manual.sh
EXTRA_DIST += tests/unit/test_ctl_manual.sh

# The vectors through the real program: ours, and those of others where they
# lie beside the tree.
TESTS += tests/vectors/mime_vectors.py tests/vectors/smime_vectors.py
EXTRA_DIST += tests/vectors/mime_vectors.py tests/vectors/smime_vectors.py \
	tests/vectors/vectorlib.py tests/data/mime

# As a person uses it, with a daemon and without one; no server.
TESTS += tests/e2e/ctl.py
EXTRA_DIST += tests/e2e/ctl.py
