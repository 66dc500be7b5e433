# Tests of tests/dialog.
