"""Experiment trackers and the log of each process."""
