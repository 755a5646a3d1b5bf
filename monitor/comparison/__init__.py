"""What one table says about another: scans, tests and data quality checks."""
