bin_PROGRAMS += sealpost-sandbox
sealpost_sandbox_SOURCES = \
	src/sandbox/admin.c \
	src/sandbox/attachment.c \
	src/sandbox/bits.c \
	src/sandbox/body.c src/sandbox/body.h \
	src/sandbox/breach.c \
	src/sandbox/call.c src/sandbox/call.h \
	src/sandbox/changes.c src/sandbox/changes.h \
	src/sandbox/cmd_estimate.c \
	src/sandbox/cmd_folders.c \
	src/sandbox/cmd_items.c \
	src/sandbox/cmd_move.c \
	src/sandbox/cmd_oof.c \
	src/sandbox/cmd_ping.c \
	src/sandbox/cmd_provision.c \
	src/sandbox/cmd_resolve.c \
	src/sandbox/cmd_search.c \
	src/sandbox/cmd_send.c \
	src/sandbox/cmd_settings.c \
	src/sandbox/cmd_sync.c \
	src/sandbox/cmd_validate.c \
	src/sandbox/commands.c \
	src/sandbox/deliver.c \
	src/sandbox/device.c src/sandbox/device.h \
	src/sandbox/draft.c \
	src/sandbox/flag.c \
	src/sandbox/folder.c \
	src/sandbox/ids.c \
	src/sandbox/index.c \
	src/sandbox/item.c \
	src/sandbox/listing.c \
	src/sandbox/look.c src/sandbox/look.h \
	src/sandbox/mail.h \
	src/sandbox/mailroot.c \
	src/sandbox/main.c \
	src/sandbox/mischief.c \
	src/sandbox/people.c \
	src/sandbox/policy.c src/sandbox/policy.h \
	src/sandbox/prefs.c src/sandbox/prefs.h \
	src/sandbox/query.c \
	src/sandbox/rebuild.c \
	src/sandbox/record.c \
	src/sandbox/schema.c \
	src/sandbox/sent.c \
	src/sandbox/server.c src/sandbox/server.h \
	src/sandbox/sync_batch.c \
	src/sandbox/sync_commands.c \
	src/sandbox/table.c \
	src/sandbox/tree.c \
	src/sandbox/trick.c \
	src/sandbox/watch.c
sealpost_sandbox_LDADD = $(LINK_1)

SANDBOX_TESTS = tests/sandbox/test_sandbox.py tests/sandbox/test_refused.py \
	tests/sandbox/test_mischief.py tests/sandbox/test_quirks.py \
	tests/sandbox/test_breaches.py tests/sandbox/test_commands.py
TESTS += $(SANDBOX_TESTS)
EXTRA_DIST += $(SANDBOX_TESTS) tests/sandbox/large.py \
	tests/lab/easclient.py tests/lab/tap.py tests/lab/wbxml.py
