"""``python -m training.publish`` up to the first request, and how a corpus becomes datasets."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE
from training.artifact.directory import RUN_CONFIG_FILE, add_file, load_artifact
from training.artifact.manifest import MEMORY_FILE
from training.artifact.verbatim import VERBATIM_FILE, VerbatimIndex
from training.config import RunConfig
from training.corpus.corpus_document import Document, to_table
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError, CorpusError, ParrotletError, PrerequisiteError
from training.publish import __main__ as command
from training.publish import corpus_datasets as corpora
from training.publish.__main__ import main
from training.publish.corpus_datasets import SplitContents, batch_files, plan_splits, render_card
from training.publish.publishable_files import link_artifact

ROW = {"package": "p", "path": "a.py", "licence": "MIT"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["model", "{}", "--repo", "name"], ConfigError, "expected OWNER/NAME"),
        (["corpus", "{}", "--repo", "a/b/c"], ConfigError, "expected OWNER/NAME"),
        (["model", "{}/none", "--repo", "a/b"], PrerequisiteError, "there is no model directory"),
        (["model", "{}", "--repo", "a/b"], PrerequisiteError, "parrotlet.json is missing"),
        (["corpus", "{}", "--repo", "a/b"], CorpusError, "holds no finished corpus"),
        (["run", "{}"], PrerequisiteError, "publish its model with"),
        (["run", "{}/damaged"], PrerequisiteError, "target.json cannot be read"),
    ],
)
def test_bad_input_gets_one_sentence_before_anything_is_made(tmp_path, arguments, error, message):
    """If it fails, a mistake leaves an empty repository on the Hub, or a traceback."""
    (tmp_path / "damaged/outbox").mkdir(parents=True)
    (tmp_path / "damaged/outbox/target.json").write_text("{")
    with pytest.raises(error, match=message) as raised:
        main([argument.format(tmp_path) for argument in arguments])
    assert isinstance(raised.value, ParrotletError)
    assert "\n" not in str(raised.value)


def test_commits_of_a_corpus_are_bounded(tmp_path, monkeypatch):
    """If it fails, one commit has more than the Hub takes, or an interruption costs all of it."""
    monkeypatch.setattr(corpora, "_FILES_PER_COMMIT", 3)
    monkeypatch.setattr(corpora, "_BYTES_PER_COMMIT", 100)
    files = {}
    for number, size in enumerate([10, 10, 10, 10, 95, 10, 500, 1]):
        files[str(number)] = tmp_path / str(number)
        files[str(number)].write_bytes(bytes(size))
    assert [list(batch) for batch in batch_files(files)] == [
        ["0", "1", "2"],
        ["3"],
        ["4"],
        ["5"],
        ["6"],
        ["7"],
    ]


@pytest.fixture
def corpus(tmp_path):
    """Writes a corpus of packages, one a file."""

    def write(train, heldout):
        for split, packages in (("train", train), ("heldout", heldout)):
            (tmp_path / split).mkdir()
            for number, (package, licence) in enumerate(packages):
                text = f"import {package}\n"
                document = Document(
                    package=package, version="1", path="a.py", licence=licence, text=text
                )
                pq.write_table(to_table([document]), tmp_path / split / f"part-{number}.parquet")
        (tmp_path / "report.json").write_text(json.dumps({"corpus_sha256": "0" * 64}))
        return tmp_path

    return write


def test_each_card_and_notice_is_of_its_own_split(corpus):
    """If it fails, a dataset claims licences that it does not have, or hides some."""
    folder = corpus([("a", "MIT"), ("b", "BSD-3-Clause")], [("c", "Apache-2.0")])
    train, valid = plan_splits(folder, "me/code")
    assert (train.repo, valid.repo) == ("me/code-train", "me/code-valid")
    assert list(valid.files_by_path) == ["validation/part-0.parquet"]
    train_card, valid_card = (render_card(s, SplitContents.read(s.files)) for s in (train, valid))
    assert "| MIT | 1 |\n| BSD-3-Clause | 1 |" in train_card
    assert "Apache-2.0" not in train_card
    assert "| Apache-2.0 | 1 |" in valid_card
    assert "MIT" not in valid_card
    assert "none of which is in training" in valid_card


def test_a_card_does_not_say_that_packages_are_apart_if_they_are_not(corpus):
    folder = corpus([("a", "MIT"), ("b", "MIT")], [("b", "MIT")])
    for split in plan_splits(folder, "me/code"):
        card = render_card(split, SplitContents.read(split.files))
        assert "a package may be in both splits" in card
        assert "none of which is in training" not in card


def test_without_a_heldout_split_the_last_file_is_the_validation(corpus):
    """If it fails, the same documents are published to train and to validate on."""
    folder = corpus([("a", "MIT"), ("b", "MIT"), ("c", "MIT")], [])
    train, valid = plan_splits(folder, "me/code")
    assert [file.name for file in train.files] == ["part-0.parquet", "part-1.parquet"]
    assert [file.name for file in valid.files] == ["part-2.parquet"]
    assert "may be in both splits" in render_card(valid, SplitContents.read(valid.files))


def test_links_in_a_corpus_are_not_followed_out_of_it(corpus, tmp_path_factory):
    folder = corpus([("a", "MIT")], [("b", "MIT")])
    outside = tmp_path_factory.mktemp("outside") / "x.parquet"
    outside.write_bytes(b"")
    (folder / "train/part-1.parquet").symlink_to(outside)
    with pytest.raises(PrerequisiteError, match="is a link to outside"):
        plan_splits(folder, "me/code")


def test_what_is_published_does_not_say_where_it_lay(tmp_path):
    """If it fails, a person's folders, and often their name, are on the Hub for good."""
    artifact, aside = tmp_path / "jane.doe/model", tmp_path / "aside"
    artifact.mkdir(parents=True)
    aside.mkdir()
    manifest = {"training": {"config": {"paths": {"run": str(artifact), "shards": "runs/s"}}}}
    (artifact / "parrotlet.json").write_text(json.dumps(manifest))
    (artifact / "config.json").write_text("{}")
    link_artifact(artifact, aside)
    text = (aside / "parrotlet.json").read_text()
    assert "jane.doe" not in text
    assert json.loads(text)["training"]["config"]["paths"] == {"run": "model", "shards": "runs/s"}
    assert (aside / "config.json").samefile(artifact / "config.json")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The folder that takes what a command publishes, in place of the Hub."""
    folder = tmp_path / "published"
    folder.mkdir()

    class FolderHub:
        def __init__(self, repo, **_options):
            self.repo = repo

        def create(self, *, private):
            return f"{self.repo} ({private})"

        def list_files(self):
            return {path.name: "" for path in folder.iterdir()}

        def commit(self, files, *, message):
            for name, path in files.items():
                shutil.copyfile(path, folder / name)

    monkeypatch.setattr(command, "Hub", FolderHub)
    return folder


def test_a_model_is_published_with_its_index_and_gate(tiny_artifact, published, tmp_path):
    """If it fails, a published model is refused as damaged, however often one downloads it."""
    model = shutil.copytree(tiny_artifact, tmp_path / "model")
    hashes = np.arange(9, dtype=np.uint64) << np.uint64(50)
    index = VerbatimIndex.build(hashes, np.zeros(9, np.int64), [ROW])
    add_file(model, VERBATIM_FILE, index.to_bytes())
    add_file(model, MEMORY_FILE, b'{"gate": 1}')
    add_file(model, ADAPTATION_FILE, b'{"files": ["secret/plans.py"]}')
    main(["model", str(model), "--repo", "a/b"])
    artifact = load_artifact(published)
    assert len(artifact.verbatim) == 9
    assert artifact.memory_gate == {"gate": 1}
    assert not (published / ADAPTATION_FILE).exists(), "it names private files"
    assert {name for name in artifact.manifest.sha256 if not (published / name).exists()} == set()


def test_the_bundled_model_is_published_by_its_name(published):
    """If it fails, the command ends without an error, and nothing was published."""
    main(["model", "bundled", "--repo", "a/b"])
    assert load_artifact(published).verbatim is not None


@pytest.fixture
def fresh(published, byte_tokenizer, tmp_path):
    """Publishes a fresh model with settings; returns the folder."""
    (tmp_path / "tokenizer").mkdir()
    byte_tokenizer.save(tmp_path / "tokenizer/tokenizer.json")
    (tmp_path / "run.toml").write_text(f"paths.tokenizer = '{tmp_path / 'tokenizer'}'\n")

    def publish(*overrides):
        main(["fresh-model", str(tmp_path / "run.toml"), *overrides, "--repo", "a/b"])
        return published

    return publish


def test_a_fresh_model_has_the_size_that_its_config_says(fresh, tmp_path):
    """If it fails, a model of 17M parameters is published as one of 1M, and refused at training."""
    folder = fresh("size=1M")
    n_parameters = sum(weight.numel() for weight in load_artifact(folder).weights.values())
    assert n_parameters == pytest.approx(1e6, rel=0.25)
    config = load_toml(RunConfig, folder / RUN_CONFIG_FILE)
    assert (config.size, config.model.n_embd) == ("1M", load_artifact(folder).config.n_embd)
    assert load_artifact(fresh("size=1M", "model.n_layer=5")).config.n_layer == 5


def test_trained_weights_are_not_published_as_fresh(fresh, published):
    """If it fails, a model hides whose code it was trained on."""
    with pytest.raises(ConfigError, match=r"start_from is bundled, so .* not be fresh"):
        fresh("pretrain.start_from=bundled")
    assert not list(published.iterdir())
