"""Extracts the Python files of GitHub's public BigQuery dataset as JSON lines in a bucket.

Only ``__main__`` uses BigQuery's library; ``query`` defines the jobs and their names, and
``extract.sql`` is the query. ``bucket_download`` fetches the files, which a corpus reads as
``sources.records`` and a training as ``stream.files``.
"""
