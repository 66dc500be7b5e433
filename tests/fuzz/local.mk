# Fuzz targets of the rooms stand in src/ROOM/local.mk.
EXTRA_DIST += tests/fuzz/capture.py
