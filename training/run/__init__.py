"""A training run: its folder, checkpoints, metrics, validation and report."""
