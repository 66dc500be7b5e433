#!/usr/bin/python3
"""The dialogues of tests/dialog/smtp."""
import sys

import run

sys.exit(run.main(['smtp']))
