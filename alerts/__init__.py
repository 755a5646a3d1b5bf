"""Who must know: incidents, messages, delivery."""
