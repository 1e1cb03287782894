"""What a checkpoint has seen, against a walk over every block."""

import json
import shutil
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from training_run import Forked, finish

from training.artifact.directory import load_artifact
from training.artifact.verbatim import LEAST_TOKENS, VERBATIM_FILE
from training.average_checkpoints import average_checkpoints
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.foundation.errors import ArtifactError, ConfigError, CorpusError, run_main
from training.index_verbatim import main as index_verbatim
from training.index_verbatim import split_stretches
from training.provenance import TrainingSpan, count_readings, count_seen_documents, main
from training.shards.blocks import BlockReader

pytestmark = pytest.mark.integration

STEPS, BATCH, BLOCK = 4, 8, 64


def train(config, run, *overrides):
    """Trains to the end."""
    settings = [f"pretrain.steps={STEPS}", "pretrain.save_every_steps=2", *overrides]
    finish(Forked(config, f"paths.run={run}", *settings))


@pytest.fixture(scope="module")
def shards(tiny_config):
    return load_toml(RunConfig, tiny_config).paths.shards


@pytest.fixture(scope="module")
def first_block(shards):
    """So near the end of the first pass that the second step begins the next."""
    return len(BlockReader(shards, "train")) - BATCH - 3


@pytest.fixture(scope="module")
def run(tiny_config, first_block, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "seen"
    train(tiny_config, run, f"pretrain.first_block={first_block}", "pretrain.seed=5")
    return run


@pytest.fixture
def copied(run, shards, tmp_path):
    """A model and shards that a test may spoil."""
    shutil.copytree(run / "model", tmp_path / "model")
    shutil.copytree(shards, tmp_path / "shards")
    return tmp_path


def ask(capsys, *arguments):
    assert main([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def oracle(shards, positions, seed):
    """Walks block by block and counts readings and tokens of each document, by its hash and path.

    The order is written out again here; that it is training's own is seen from the tokens.
    """
    reader = BlockReader(shards, "train")
    documents = pq.read_table(shards / "train.documents.parquet").to_pylist()
    times, tokens = Counter(), Counter()
    for position in positions:
        epoch, place = divmod(position, len(reader))
        index = int(np.random.default_rng((seed, epoch)).permutation(len(reader))[place])
        assert (reader.read_batch(position, 1, seed=seed).ids[0] == reader.read_block(index)).all()
        owners = Counter(reader.read_documents(index).tolist())
        times.update(dict.fromkeys(owners, 1))
        tokens.update(owners)
    return {
        (documents[i]["package"], documents[i]["path"], documents[i]["sha256"]): (
            times[i],
            tokens[i],
        )
        for i in tokens
    }


@pytest.mark.parametrize(("folder", "steps"), [("checkpoints/step-00000002", 2), ("model", STEPS)])
def test_the_list_is_what_a_walk_over_every_block_finds(
    run, shards, first_block, tmp_path, capsys, folder, steps
):
    """If it fails, nobody can say what a model was trained on."""
    out = tmp_path / "seen.jsonl"
    said = ask(capsys, run / folder, "--out", out)
    lines = read_lines(out)
    wanted = oracle(shards, range(first_block, first_block + steps * BATCH), seed=5)
    found = {(d["package"], d["path"], d["sha256"]): (d["times"], d["tokens"]) for d in lines}
    assert found == wanted
    assert len(lines) == len(found)
    manifest = json.loads((run / folder / "parrotlet.json").read_text())
    assert sum(d["tokens"] for d in lines) == manifest["training"]["tokens_seen"]
    assert sum(d["tokens"] for d in lines) == steps * BATCH * BLOCK
    assert {d["licence"] for d in lines} == {"PSF-2.0"}
    assert [d["tokens"] for d in lines] == sorted((d["tokens"] for d in lines), reverse=True)
    assert f"up to step {steps}:" in said
    assert f"documents seen: {len(lines)} of " in said


@pytest.mark.parametrize("n_passes", [0, 1, 3])
def test_whole_passes_see_every_token_as_often(shards, n_passes):
    reader = BlockReader(shards, "train")
    span = TrainingSpan(
        step=1,
        first_block=0,
        n_blocks=n_passes * len(reader),
        seed=1,
        start_from=None,
        earlier_tokens=0,
    )
    seen = count_seen_documents(shards, reader, count_readings(reader, span))
    assert (seen.tokens == n_passes * seen.tokens_a_pass).all()
    assert seen.tokens_a_pass.sum() == len(reader) * BLOCK
    assert ((seen.times > 0) == (seen.tokens > 0)).all()


def test_one_package_alone(run, tmp_path, capsys):
    ask(capsys, run / "model", "--out", tmp_path / "all")
    documents = read_lines(tmp_path / "all")
    package = documents[0]["package"]
    ask(capsys, run / "model", "--package", package.upper(), "--out", tmp_path / "one")
    assert read_lines(tmp_path / "one") == [d for d in documents if d["package"] == package]
    with pytest.raises(ConfigError, match="holds no document of 'cpython-stdlib-sqlite3'"):
        main([str(run / "model"), "--package", "cpython-stdlib-sqlite3"])


def test_a_model_that_went_on_from_another_names_what_is_missing(
    run, tiny_config, tmp_path, capsys
):
    """If it fails, a fine-tuned model passes for one that has seen little."""
    went_on = tmp_path / "run"
    every_step = ("pretrain.save_every_steps=1", "pretrain.keep_checkpoints=4")
    train(tiny_config, went_on, f"pretrain.start_from={run / 'model'}", *every_step)
    earlier = STEPS * BATCH * BLOCK
    first, half = (went_on / f"checkpoints/step-0000000{step}" for step in (1, 2))
    shutil.copytree(half, went_on / "published", ignore=shutil.ignore_patterns("training_state*"))
    average_checkpoints([first, half], went_on / "mean")
    for folder, steps in ((half, 2), ("published", 2), ("mean", 2), ("model", STEPS)):
        out = tmp_path / "seen.jsonl"
        said = ask(capsys, went_on / folder, "--out", out)
        assert f"it continued from {run / 'model'}: the documents of the {earlier} tokens" in said
        assert sum(d["tokens"] for d in read_lines(out)) == steps * BATCH * BLOCK


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("corpus_sha256", "0" * 64, "has another corpus than"),
        ("block_tokens", 32, "do not match"),
        ("sha256", {"train": "0" * 64}, "has another content than"),
        ("shards_config", {"seed": 9}, "has another shards."),
    ],
)
def test_other_shards_are_refused(copied, key, value, message):
    """If it fails, the list names documents that the model has never seen."""
    meta = copied / "shards" / "shards.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {key: value}))
    with pytest.raises((ConfigError, CorpusError), match=message):
        main([str(copied / "model"), "--shards", str(copied / "shards")])


def test_another_tokenizer_is_refused(copied, capsys):
    file = copied / "shards" / "tokenizer.json"
    file.write_text(file.read_text() + " ")
    arguments = [str(copied / "model"), "--shards", str(copied / "shards")]
    assert run_main(main, arguments) == 2
    said = capsys.readouterr().err
    assert "has another tokenizer than" in said
    assert "--shards" in said
    assert said.count("\n") == 1


def test_damage_is_named(copied, run):
    with pytest.raises(ArtifactError, match="is not a checkpoint"):
        main([str(run)])
    manifest = copied / "model" / "parrotlet.json"
    whole = json.loads(manifest.read_text())
    for training, message in (
        ({}, "does not record how it was trained"),
        (whole["training"] | {"tokens_seen": 1}, "records 1 tokens seen"),
    ):
        manifest.write_text(json.dumps(whole | {"training": training}))
        with pytest.raises(ArtifactError, match=message):
            main([str(copied / "model")])
    manifest.write_text("[]")
    with pytest.raises(ArtifactError, match="cannot read"):
        main([str(copied / "model")])
    (copied / "shards" / "train.documents.parquet").write_bytes(b"")
    with pytest.raises(CorpusError, match="is damaged or missing"):
        main([str(run / "model"), "--shards", str(copied / "shards")])


def test_what_a_model_has_seen_is_indexed_and_travels_with_it(copied, capsys):
    """If it fails, the server names no source, or the wrong one."""
    model, shards = copied / "model", copied / "shards"
    reader = BlockReader(shards, "train")
    n_blocks = len(reader) // 2
    arguments = [model, "--shards", shards, "--blocks", n_blocks]
    assert index_verbatim([str(word) for word in arguments]) == 0
    assert f"from {n_blocks} blocks" in capsys.readouterr().out
    index = load_artifact(model).verbatim
    documents = pq.read_table(shards / "train.documents.parquet").to_pylist()
    order = [reader.find_block(position, seed=5) for position in range(len(reader))]
    found, n_runs = {True: 0, False: 0}, {True: 0, False: 0}
    for place, block in enumerate(order):
        ids, owners = reader.read_block(block), reader.read_documents(block)
        for start, end in split_stretches(ids, owners):
            if end - start >= LEAST_TOKENS:
                source = index.find_reference(ids[start:end].tolist())
                is_seen = place < n_blocks
                n_runs[is_seen] += 1
                found[is_seen] += source is not None
                if is_seen and source is not None:
                    assert source.licence == "PSF-2.0"
                    assert source.path in {d["path"] for d in documents}
    assert found[True] == n_runs[True] > 20
    assert found[False] < n_runs[False] / 5  # some text stands twice
    (model / VERBATIM_FILE).write_bytes(b"x")
    with pytest.raises(ArtifactError, match=VERBATIM_FILE):
        _ = load_artifact(model).verbatim


def test_a_model_that_continues_keeps_the_index_of_the_one_before(
    copied, tiny_config, tmp_path, capsys
):
    """If it fails, a model of one's own repeats the bundled one's text without naming a source."""
    first, run = copied / "model", tmp_path / "continued"
    starting = [f"pretrain.start_from={first}", "pretrain.first_block=40", "pretrain.steps=1"]
    train(tiny_config, run, *starting)
    assert index_verbatim([str(run / "model")]) == 0
    assert f"not indexed: what only {first}" in (said := capsys.readouterr().err)
    assert "it has no index" in said
    alone = len(load_artifact(run / "model").verbatim)

    assert index_verbatim([str(first), "--blocks", "100000"]) == 0
    earlier = load_artifact(first).verbatim
    capsys.readouterr()
    assert index_verbatim([str(run / "model"), "--blocks", "1"]) == 0
    assert "not indexed" not in capsys.readouterr().err
    joined = load_artifact(run / "model").verbatim
    assert len(joined) >= len(earlier) > alone
    reader, n_found = BlockReader(copied / "shards", "train"), 0
    for block in range(len(reader)):
        ids, owners = reader.read_block(block), reader.read_documents(block)
        for start, end in split_stretches(ids, owners):
            found = joined.find_reference(ids[start:end].tolist())
            assert end - start < LEAST_TOKENS or found is not None
            n_found += found is not None
    assert n_found > 20
    shutil.rmtree(first)
    assert index_verbatim([str(run / "model"), "--blocks", "1"]) == 0
    assert "not indexed" in capsys.readouterr().err
