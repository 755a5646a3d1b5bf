"""Predictions out, records in."""
