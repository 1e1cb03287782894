"""Readers: how each kind of source is opened and read, file by file."""
