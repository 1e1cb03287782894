"""Filters: every check of a single document; each drop has a counted reason."""
