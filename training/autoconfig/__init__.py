"""Chooses the settings of a run from a size and a budget."""
