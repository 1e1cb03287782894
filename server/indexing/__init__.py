"""Indexes a workspace in a process of its own, and keeps the index in the user's cache folder."""
