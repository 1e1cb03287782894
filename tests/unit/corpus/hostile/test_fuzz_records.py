"""Fuzz: records and notebooks changed at random give files or one of our errors."""

import gzip
import io
import json
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from doubles.record_reading import read_records
from fuzzing import fuzz_reader, measure, mutations

from training.corpus.config import ArchiveLimits, RecordFields
from training.corpus.readers.notebook_code import read_notebook
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.source_file import SourceFile
from training.foundation.errors import ParrotletError

PARSER = RecordParser(fields=RecordFields(), package="a", max_bytes=100_000)
LIMITS = ArchiveLimits()
ROWS = [
    {"content": "x = 1\n" * 20, "path": "a.py", "repo_name": "o/r", "license": "mit", "stars": 3},
    {"content": "# é\n", "path": "n.ipynb", "language": "Python", "license": ["mit", "isc"]},
    {"content": '{"cells": [{"cell_type": "code", "source": ["%time x\\n"]}]}', "path": "m.ipynb"},
]
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "source": ["%matplotlib inline\n", 'x = """(', "!ls\n"]},
        {"cell_type": "markdown", "source": "# a"},
        {"cell_type": "code", "source": "%%bash\nls", "metadata": {"vscode": {"languageId": "r"}}},
    ],
    "metadata": {"kernelspec": {"language": "python"}, "language_info": {"name": "python"}},
}


def make_parquet(**more):
    packed = io.BytesIO()
    columns = {
        "content": ["x = 1\n" * 20, "y = 2\n", None] * 20,
        "path": ["a.py", None, "b.js"] * 20,
        "licenses": [["mit"], [], None] * 20,
        "stars": [1, 2, None] * 20,
    }
    pq.write_table(pa.table(columns), packed, **more)
    return packed.getvalue()


LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
SEEDS = {
    "a.jsonl": [LINES],
    "a.jsonl.gz": [gzip.compress(LINES)],
    "a.jsonl.zst": [pa.compress(LINES, codec="zstd", asbytes=True)],
    "a.parquet": [
        make_parquet(compression="zstd"),
        make_parquet(compression="none", use_dictionary=False, row_group_size=7),
        make_parquet(data_page_version="2.0", compression="snappy", data_page_size=50),
    ],
}


@pytest.mark.parametrize("name", SEEDS)
def test_fuzzed_records_give_files_or_a_sentence(tmp_path, name):
    path = tmp_path / name
    read = partial(read_records, path, PARSER, LIMITS)
    assert fuzz_reader(read, path, SEEDS[name], expected=ParrotletError, seed=name)


def test_fuzzed_parquet_takes_little_memory(tmp_path):
    """In a fork: what a native library does with damaged bytes is seen, a crash too."""
    path = tmp_path / "a.parquet"

    def read_all():
        for _, data in mutations(SEEDS["a.parquet"], seed="memory"):
            path.write_bytes(data)
            try:
                for _ in read_records(path, PARSER, LIMITS):
                    pass
            except ParrotletError:
                continue
        return "read"

    outcome, _, mib = measure(read_all)
    assert outcome == "'read'"
    assert mib < 300


def test_fuzzed_notebooks_give_code_or_a_reason():
    known = {None, "damaged notebook", "not Python"}
    for number, data in mutations([json.dumps(NOTEBOOK).encode()], seed="notebooks"):
        file = read_notebook(SourceFile(path="a.ipynb", data=data))
        assert file.problem in known, number
        file.data.decode()
