"""Python files of the public dataset of GitHub on BigQuery, as JSON lines in a bucket.

The module ``__main__`` alone talks to BigQuery and knows its library; ``query`` says what is asked
and under which names; ``extract.sql`` is the question. Nothing here fetches the files from the
bucket: they are a corpus's ``sources.records``.
"""
