# Other people's programs: real clients, real servers.
EXTRA_DIST += tests/interop/clients/packages tests/interop/clients/run
EXTRA_DIST += tests/interop/sogo/up tests/interop/sogo/down \
	tests/interop/sogo/run
