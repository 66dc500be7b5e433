# What a test can link stands in a library of its own; main.c is all that is
# left for the program.
noinst_LIBRARIES += libsp_daemon.a
libsp_daemon_a_SOURCES = \
	src/daemon/certificate.c \
	src/daemon/daemon.c \
	src/daemon/drop_rights.c \
	src/daemon/memory.c \
	src/daemon/notify.c \
	src/daemon/places.c \
	src/daemon/ports.c \
	src/daemon/private.h \
	src/daemon/signals.c

sbin_PROGRAMS += sealpostd
sealpostd_SOURCES = src/daemon/main.c
sealpostd_LDADD = libsp_daemon.a $(LINK_6)

TESTS += tests/unit/test_daemon.py
EXTRA_DIST += tests/unit/test_daemon.py
