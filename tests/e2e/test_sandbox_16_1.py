#!/usr/bin/python3
"""The end-to-end suite against the sandbox at EAS 16.1."""
import sys

import suite

sys.exit(suite.main(['sandbox:16.1']))
