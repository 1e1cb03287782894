"""How close completions come to real files: exact match, similarity, syntax, calibration."""
