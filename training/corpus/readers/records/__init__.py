"""Records: one source file each, from JSON lines, Parquet and Hub datasets."""
