"""Where a loss of performance comes from: segments, kinds of shift, and columns."""
