"""Judges completions: pass@k in a sandbox, line and infilling accuracy, typing replay."""
