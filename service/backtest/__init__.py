"""Back-testing: a log of the past is replayed through monitor and alerts; nothing is sent."""
