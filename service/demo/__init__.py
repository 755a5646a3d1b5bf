"""The demo: a real project on real data, with time fast-forwarded."""
