"""Builds the corpus: sources to documents, filtered, deduplicated, split and written as Parquet.

``build`` reads from top to bottom: ``extraction`` (``readers``, ``filters``, ``quality``), then
``selection`` (``dedup``), then ``output``.
"""
