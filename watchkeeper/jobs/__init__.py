"""Work that is done once: due times, leases with fencing tokens, and the runner."""
