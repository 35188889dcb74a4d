"""From files to a timeline: load, check references, place faults, work out detection bounds and the limits of speed."""
