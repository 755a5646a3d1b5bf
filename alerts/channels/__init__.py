"""Ways to reach people: one file each, all of the same shape."""
