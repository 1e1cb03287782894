"""Extracts the Python files of GitHub's public BigQuery dataset as JSON lines in a bucket.

Only ``__main__`` uses BigQuery's library; ``query`` defines the jobs and their names, and
``extract.sql`` is the query. The files are not downloaded from the bucket here: a corpus reads them
as ``sources.records``.
"""
