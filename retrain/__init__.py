"""What to do: when to retrain, in its own process, and whether to promote."""
