"""Builds the corpus on many machines: the same stages, run by datatrove's executors."""
