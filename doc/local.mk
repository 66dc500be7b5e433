# Manual pages, and that they are complete.
dist_man_MANS += doc/sealpost.conf.5
TESTS += tests/lint/manual.sh
EXTRA_DIST += tests/lint/manual.sh
dist_man_MANS += doc/sealpostd.8
dist_man_MANS += doc/sealpost-sandbox.1
dist_man_MANS += doc/sealpostctl.1
EXTRA_DIST += doc/PITFALLS.md
