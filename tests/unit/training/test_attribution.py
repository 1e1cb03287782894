"""The NOTICE beside a model."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.manifest import Manifest
from training.config import PretrainConfig, RunConfig, StreamConfig
from training.corpus.config import CorpusConfig
from training.foundation.config_schema import load_toml
from training.foundation.errors import CorpusError
from training.licensing.attribution import (
    DOCUMENTS_FILE,
    PERMISSIVE,
    build_model_notice,
    choose_model_licence,
    format_notice,
    list_packages,
    read_document_table,
)
from training.run.model_card import render_model_card

CONFIGS = Path(__file__).parents[3] / "training/configs"
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


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (
            ["MIT", "BSD-3-Clause AND (0BSD OR Zlib)", "Apache-2.0 WITH LLVM-exception"],
            "apache-2.0",
        ),
        (["MIT OR GPL-2.0-or-later"], "apache-2.0"),
        (["MIT", "LicenseRef-Own"], "other"),
        (["MIT AND GPL-3.0-only"], "other"),
        (["MIT AND (GPL-3.0-only OR MPL-2.0)"], "other"),
        (["MIT", ""], "other"),
        ([], "other"),
    ],
)
def test_a_model_is_under_apaches_licence_only_if_all_it_learned_is_permissive(licences, expected):
    """If it fails, a model of private or GPL code is published as Apache-licensed."""
    notice = format_notice([("p", "1", licence) for licence in licences])
    assert choose_model_licence(notice, licences, None) == expected


def test_the_licence_counts_what_the_first_model_learned(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "NOTICE").write_text(format_notice([("a", "", "LicenseRef-Own")]))
    (tmp_path / "foreign").mkdir()
    for start, expected in ((BUNDLED_MODEL, "apache-2.0"), ("own", "other"), ("foreign", "other")):
        path = tmp_path / start
        notice = build_model_notice([("b", "", "MIT")], path)
        assert choose_model_licence(notice, ["MIT"], path) == expected, start


def test_permissive_licences_are_those_of_our_corpora():
    for name in ("corpus", "corpus-wide", "corpus-unread", "corpus-debug"):
        assert set(load_toml(CorpusConfig, CONFIGS / f"{name}.toml").licences) <= PERMISSIVE
    assert set(load_toml(CorpusConfig, CONFIGS / "corpus-stream.toml").licences) == PERMISSIVE


def test_the_card_of_a_streamed_model_advises_no_shards():
    """If it fails, a reader runs a command that refuses."""
    manifest = Manifest(context_tokens=64)
    for stream in (StreamConfig(), StreamConfig(hub="jane/code")):
        config = RunConfig(stream=stream)
        card = render_model_card(config, manifest, 1_000_000, Counter(), licence="other")
        assert ("\nparrotlet prepare " in card) == (not stream.is_wanted)
        assert "sh\nparrotlet pre" in card
        assert "\nparrotlet pretrain training_config.toml pretrain.start_from=FOLDER\n" in card


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (None, "trained from scratch"),
        (Path("bundled"), "continued from `bundled`"),
        (Path("/home/jane/models/acme"), "continued from `acme`"),
    ],
)
def test_the_card_says_what_the_model_was_made_from(start, said):
    """If it fails, a card claims an origin and a licence that are not the model's."""
    config = RunConfig(pretrain=PretrainConfig(start_from=start))
    licences = Counter({"LicenseRef-Own": 8})
    manifest = Manifest(context_tokens=64)
    card = render_model_card(config, manifest, 1_000_000, licences, licence="other")
    assert "\nlicense: other\n" in card
    assert said in card
    assert ("This training's documents by licence" in card) == (start is not None)
    assert "| LicenseRef-Own | 8 |" in card
    assert "permissive" not in card
    assert "jane" not in card
