"""What happened: profiles, statistics, data quality, performance."""
