"""Datasets of the Hub: as a stream, as sources of a corpus, and a published corpus as it is."""

import json
import subprocess
import sys

import pytest
from training_run import ROOT

from training.config import RunConfig
from training.foundation.config_schema import load_toml

pytestmark = pytest.mark.integration

PROGRAM = """
import dataclasses, json, os, sys
from pathlib import Path
from training.config import RunConfig, StreamConfig, PathsConfig
from training.corpus.build import build_corpus
from training.corpus.config import CorpusConfig, DatasetSource, SourcesConfig
from training.corpus.input_hash import hash_inputs
from training.corpus.output.corpus_report import read_report
from training.corpus.output.published_corpus import fetch_corpus
from training.corpus.output.verification import find_differences
from training.corpus.readers.records.record_slices import FileSlice, SlicePosition, iterate_slice
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.config import ArchiveLimits, RecordFields
from training.foundation.errors import CorpusError
from training.publish.__main__ import main as publish
from training.stream.stream_files import list_stream_files

corpus, first, second = sys.argv[1:]
publish(["corpus", corpus, "--repo", "tester/code"])
found = {}

os.chdir(second)
config = RunConfig(paths=PathsConfig(corpus=Path("hub:tester/code")))
fetched = fetch_corpus(config).paths.corpus
found["differences"] = find_differences(fetched, read_report(fetched))
found["sha256"] = read_report(fetched).corpus_sha256
found["again"] = fetch_corpus(config).paths.corpus == fetched

files = list_stream_files(StreamConfig(hub="tester/code-train")).train
found["pinned"] = all("@" in file.path and file.n_bytes > 0 for file in files)
parser = RecordParser(fields=RecordFields(), package="x", max_bytes=10**6)
whole = list(iterate_slice(FileSlice(file=files[0]), parser, ArchiveLimits()))
rest = list(iterate_slice(FileSlice(file=files[0]), parser, ArchiveLimits(), whole[4].after))
found["rest"] = rest == whole[5:] and len(rest) > 0

sources = SourcesConfig(datasets=(DatasetSource(name="tester/code-train@main", limit=7),))
built = CorpusConfig(
    out=Path("built"), sources=sources, licences=("PSF-2.0",), heldout_share=0.3,
    decontaminate=(), near_duplicate_similarity=None, processes=1,
)
report = build_corpus(built)
found["limited"] = sum(package.files for package in report.packages)
before = hash_inputs(built)
found["same"] = hash_inputs(built) == before
publish(["corpus", first, "--repo", "tester/code"])
found["another revision"] = hash_inputs(built) != before
try:
    list_stream_files(StreamConfig(hub="tester/code-train@nowhere"))
except CorpusError as error:
    found["sentence"] = str(error)
print(json.dumps(found))
"""


def test_what_was_published_is_streamed_read_and_fetched(hub, tiny_config, tmp_path):
    """If it fails, a corpus on the Hub is of no use on another machine, or changes unnoticed."""
    corpus = load_toml(RunConfig, tiny_config).paths.corpus
    other, here = tmp_path / "other", tmp_path / "here"
    here.mkdir()
    for split in ("train", "heldout"):
        (other / split).mkdir(parents=True)
        for number, file in enumerate(sorted((corpus / "heldout").glob("*.parquet"))):
            (other / split / f"part-{number:05d}.parquet").write_bytes(file.read_bytes())
    (other / "report.json").write_bytes((corpus / "report.json").read_bytes())
    command = [sys.executable, "-c", PROGRAM, str(corpus), str(other), str(here)]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    sentence = found.pop("sentence")
    assert "the dataset tester/code-train cannot be read" in sentence
    assert "correct stream.hub" in sentence
    report = json.loads((corpus / "report.json").read_text())
    assert found == {
        "differences": [],
        "sha256": report["corpus_sha256"],
        "again": True,
        "pinned": True,
        "rest": True,
        "limited": 7,
        "same": True,
        "another revision": True,
    }
