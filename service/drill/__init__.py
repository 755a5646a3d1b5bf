"""Drills: a fault on a copy, told to the right person, who answers; nothing real is touched."""
