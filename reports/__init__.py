"""Explanations: read models, charts, pages."""
