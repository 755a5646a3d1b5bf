"""Sequential detection of decay: evidence that grows window by window against a limit."""
