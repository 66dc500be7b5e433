# programs: see the sources of this room
