"""Builds the corpus: sources to documents, filters, duplicates, split, Parquet."""
