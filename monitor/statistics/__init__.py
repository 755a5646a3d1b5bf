"""Pure functions on counts: distances, tests, intervals, and the table that names them."""
