"""Metrics by a function of the owner's: every labelled row has a value, summed by tile."""
