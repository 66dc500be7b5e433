#!/usr/bin/python3
"""The end-to-end suite against the sandbox at EAS 14.1, whose Ping tells of
new mail only, as Exchange promises no more."""
import sys

import suite

sys.exit(suite.main(['sandbox:14.1:--ping-adds']))
