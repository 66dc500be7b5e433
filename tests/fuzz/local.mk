# Fuzz targets of the rooms stand in src/ROOM/local.mk.
