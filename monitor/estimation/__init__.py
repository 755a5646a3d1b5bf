"""Performance before the labels arrive, from what a model said of all rows and its reference."""
