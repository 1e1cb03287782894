"""The NOTICE beside a model."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.attribution import (
    DOCUMENTS_FILE,
    build_model_notice,
    format_notice,
    list_packages,
    read_document_table,
)
from training.foundation.errors import CorpusError

PACKAGES = [("b", "2.0", "MIT"), ("a", "", "BSD-3-Clause"), ("b", "2.0", "MIT")]


def shards(folder, packages):
    folder.mkdir()
    names = ("package", "version", "licence")
    rows = [dict(zip(names, package, strict=True)) for package in packages]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.documents.parquet")
    return folder


def test_every_package_is_named_once_with_its_licence():
    assert format_notice(PACKAGES).split("\n\n")[1] == "a: BSD-3-Clause\nb 2.0: MIT\n"


def test_going_on_keeps_the_names_of_the_first_training(tmp_path):
    """If it fails, authors whose code the weights still hold are no longer named."""
    first = tmp_path / "first"
    first.mkdir()
    (first / "NOTICE").write_text(
        build_model_notice(list_packages(shards(tmp_path / "s", PACKAGES)), None)
    )
    more = list_packages(shards(tmp_path / "t", [("c", "1", "ISC")]))
    assert build_model_notice(more, first).splitlines()[2:] == [
        "a: BSD-3-Clause",
        "b 2.0: MIT",
        "c 1: ISC",
    ]
    assert build_model_notice(more, tmp_path / "s").splitlines()[2:] == ["c 1: ISC"]


@pytest.mark.parametrize(
    "columns",
    [
        {"package": ["a"], "licence": [5]},
        {"package": ["a"]},
        {"licence": pa.array([b"\xff"], pa.binary()).cast(pa.string(), safe=False)},
        None,
    ],
)
def test_a_damaged_table_of_documents_is_one_sentence(tmp_path, columns):
    """If it fails, a run ends in a traceback when it writes its first checkpoint."""
    path = tmp_path / DOCUMENTS_FILE
    if columns is None:
        path.write_bytes(b"PAR1")
    else:
        pq.write_table(pa.table(columns), path)
    with pytest.raises(CorpusError, match="prepare the shards again"):
        read_document_table(tmp_path, ["licence"])


def test_missing_values_of_old_tables_are_empty(tmp_path):
    pq.write_table(pa.table({"licence": ["MIT", None]}), tmp_path / DOCUMENTS_FILE)
    assert read_document_table(tmp_path) == [{"licence": "MIT"}, {"licence": ""}]
