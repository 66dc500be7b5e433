noinst_LIBRARIES += libsp_outbox.a
libsp_outbox_a_SOURCES = \
	src/outbox/deliver.c src/outbox/envelope.c \
	src/outbox/outbox.c src/outbox/outbox.h src/outbox/outcome.c \
	src/outbox/policy.c src/outbox/private.h \
	src/outbox/rcpt.c src/outbox/report.c src/outbox/seal.c \
	src/outbox/send.c src/outbox/sent.c src/outbox/source.c \
	src/outbox/submit.c src/outbox/wish.c

check_PROGRAMS += tests/unit/test_outbox
TESTS += tests/unit/test_outbox
tests_unit_test_outbox_SOURCES = tests/unit/test_outbox.c
tests_unit_test_outbox_LDADD = libsp_test.a $(LINK_4)

check_PROGRAMS += tests/unit/test_outbox_flow
TESTS += tests/unit/test_outbox_flow
tests_unit_test_outbox_flow_SOURCES = tests/unit/test_outbox_flow.c \
	tests/unit/outbox_world.c tests/unit/outbox_world.h \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_outbox_flow_LDADD = libsp_test.a $(LINK_4)

if FAULTS
check_PROGRAMS += tests/unit/test_outbox_crash
TESTS += tests/unit/test_outbox_crash
tests_unit_test_outbox_crash_SOURCES = tests/unit/test_outbox_crash.c \
	tests/unit/outbox_world.c tests/unit/outbox_world.h \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_outbox_crash_LDADD = libsp_test.a $(LINK_4)
endif

check_PROGRAMS += tests/fuzz/fuzz_outbox
FUZZ_TARGETS += tests/fuzz/fuzz_outbox
tests_fuzz_fuzz_outbox_SOURCES = tests/fuzz/fuzz_outbox.c
tests_fuzz_fuzz_outbox_LDADD = $(FUZZ_MAIN) $(LINK_4)

check_PROGRAMS += tests/unit/test_outbox_settings
TESTS += tests/unit/test_outbox_settings
tests_unit_test_outbox_settings_SOURCES = tests/unit/test_outbox_settings.c \
	tests/unit/outbox_world.c tests/unit/outbox_world.h \
	tests/unit/eas_server.c tests/unit/eas_server.h
tests_unit_test_outbox_settings_LDADD = libsp_test.a $(LINK_4)
