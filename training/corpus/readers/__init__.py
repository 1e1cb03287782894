"""Readers: where documents come from, and how each kind of source is read, file by file."""
