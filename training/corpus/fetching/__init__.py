"""Fetching: the lock file, and the archives it pins, from the package indexes of pip's settings."""
