"""A corpus of small packages, one of them without a usable document, becomes shards."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.prepare import main as prepare
from training.shards.blocks import BlockReader
from training.shards.shards_meta import META_FILE

pytestmark = pytest.mark.integration

N_PACKAGES = 120


@pytest.fixture(scope="module")
def small_packages(tiny_config, tmp_path_factory):
    """The tiny run over a corpus of 120 packages of a few lines, and one of Chinese strings."""
    folder = tmp_path_factory.mktemp("small")
    source = load_toml(RunConfig, tiny_config).paths.corpus
    (folder / "corpus").mkdir()
    (folder / "corpus" / "report.json").write_bytes((source / "report.json").read_bytes())
    for split in ("train", "heldout"):
        (path,) = (source / split).glob("*.parquet")
        row = pq.read_table(path).slice(0, 1).to_pylist()[0]
        texts = [f"def function_{i}(value):\n    return value + {i}\n" for i in range(N_PACKAGES)]
        texts.insert(7, "TEXT = '" + "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少" * 40 + "'\n")
        rows = [{**row, "package": f"p{i}", "text": text} for i, text in enumerate(texts)]
        target = folder / "corpus" / split / path.name
        target.parent.mkdir()
        pq.write_table(pa.Table.from_pylist(rows), target, row_group_size=1)
    return [str(tiny_config), f"paths.corpus={folder / 'corpus'}", "shards.block_tokens=128"]


@pytest.fixture(scope="module")
def shards(small_packages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "shards"
    assert prepare([*small_packages, f"paths.shards={folder}", "shards.processes=1"]) == 0
    return folder


def test_no_package_is_too_small(shards):
    """If it fails, a corpus of many small packages trains on little of it, or on nothing."""
    meta = json.loads((shards / META_FILE).read_text())
    for split in ("train", "heldout"):
        reader = BlockReader(shards, split)
        assert len(reader) >= 0.95 * meta["tokens"][split] // 128 > 5
        owners = {int(owner) for i in range(len(reader)) for owner in reader.read_documents(i)}
        assert len(owners) > 0.9 * N_PACKAGES


def test_a_source_of_nothing_but_dropped_documents_is_counted(shards):
    meta = json.loads((shards / META_FILE).read_text())
    (drops,) = meta["drops"].values()
    assert drops["train"]["documents"] == drops["heldout"]["documents"] == 1
