"""Records: one source file each, from JSON lines, CSV, text and Parquet, here or on the Hub."""
