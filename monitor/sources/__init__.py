"""Predictions that are left where they are: any table, read as if it were the prediction log."""
