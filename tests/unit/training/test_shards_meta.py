"""``shards.json``: what older versions wrote is read, and damage gets one sentence."""

import json
from types import SimpleNamespace

import pytest

from training import validate
from training.foundation.errors import ConfigError, CorpusError
from training.shards.shards_meta import META_FILE, DroppedDocuments, read_meta


def test_old_files_without_hashes_are_read(tmp_path):
    """If it fails, shards that took hours must be prepared again after an update."""
    (tmp_path / META_FILE).write_text('{"block_tokens": 64, "shard_blocks": {"train": [2]}}')
    meta = read_meta(tmp_path)
    assert (meta.block_tokens, meta.shard_blocks["train"]) == (64, (2,))
    assert (meta.content_sha256, meta.has_quality) == ("", False)


def test_keys_of_a_newer_version_are_ignored(tmp_path):
    (tmp_path / META_FILE).write_text('{"block_tokens": 64, "colour": "blue"}')
    assert read_meta(tmp_path).block_tokens == 64


def test_drops_are_typed(tmp_path):
    drops = {"few characters": {"train": {"documents": 2, "examples": ["a: b.py"]}}}
    (tmp_path / META_FILE).write_text(json.dumps({"block_tokens": 64, "drops": drops}))
    expected = DroppedDocuments(documents=2, examples=("a: b.py",))
    assert read_meta(tmp_path).drops == {"few characters": {"train": expected}}


@pytest.mark.parametrize("text", ["[1]", "3", "{", '{"vocab_size": 1}', '{"block_tokens": "64"}'])
def test_a_damaged_file_gets_one_sentence(tmp_path, text):
    (tmp_path / META_FILE).write_text(text)
    with pytest.raises(CorpusError, match="is damaged; prepare the shards again"):
        read_meta(tmp_path)


def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(CorpusError, match="parrotlet prepare CONFIG"):
        read_meta(tmp_path)


def test_blocks_longer_than_a_models_context_are_refused(tiny_artifact, monkeypatch):
    """If it fails, measuring a model on shards of another model ends in a traceback."""
    monkeypatch.setattr(validate, "BlockReader", lambda *_: SimpleNamespace(block_tokens=1024))
    with pytest.raises(ConfigError, match=r"blocks of 1024 .* at most 512; .*block_tokens=512"):
        validate.main([str(tiny_artifact), "--shards", str(tiny_artifact)])
