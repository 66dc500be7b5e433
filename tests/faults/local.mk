# Each command of the gateway with each kind of trouble (a stage of CI).
EXTRA_DIST += tests/faults/run tests/faults/cases.py tests/faults/faults.py \
	tests/faults/many.py tests/faults/table.tsv
