"""Extraction: one source in, one part on disk out; runs in the worker processes."""
