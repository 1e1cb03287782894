"""Extraction: the sources of a config, each extracted into a part of its own on disk."""
