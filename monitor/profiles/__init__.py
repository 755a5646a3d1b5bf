"""Profiles: mergeable counts of one model version in one tile of event time."""
