noinst_LIBRARIES += libsp_smtp.a
libsp_smtp_a_SOURCES = \
	src/smtp/auth.c \
	src/smtp/client.c \
	src/smtp/command.c src/smtp/command.h \
	src/smtp/data.c src/smtp/data.h \
	src/smtp/mail.c \
	src/smtp/private.h \
	src/smtp/receive.c \
	src/smtp/reply.c src/smtp/reply.h \
	src/smtp/sasl.c src/smtp/sasl.h \
	src/smtp/server.c src/smtp/server.h \
	src/smtp/verbs.c

check_PROGRAMS += tests/unit/test_smtp
TESTS += tests/unit/test_smtp
tests_unit_test_smtp_SOURCES = tests/unit/test_smtp.c
tests_unit_test_smtp_LDADD = libsp_test.a libsp_smtp.a $(LINK_1)

check_PROGRAMS += tests/fuzz/fuzz_smtp_command tests/fuzz/fuzz_smtp_data
FUZZ_TARGETS += tests/fuzz/fuzz_smtp_command tests/fuzz/fuzz_smtp_data
tests_fuzz_fuzz_smtp_command_SOURCES = tests/fuzz/fuzz_smtp_command.c
tests_fuzz_fuzz_smtp_command_LDADD = $(FUZZ_MAIN) libsp_smtp.a $(LINK_1)
tests_fuzz_fuzz_smtp_data_SOURCES = tests/fuzz/fuzz_smtp_data.c
tests_fuzz_fuzz_smtp_data_LDADD = $(FUZZ_MAIN) libsp_smtp.a $(LINK_1)
