"""How good the predictions were: metrics, their intervals and their limits, from merged sums."""
