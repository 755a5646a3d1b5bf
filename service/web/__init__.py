"""The web pages and the read API."""
