"""A model folder from elsewhere, damaged in any way: our own error or a model, soon and in bounds.

``PARROTLET_FUZZ_SECONDS=600 pytest -k artifact_fuzz`` runs longer.
"""

import dataclasses
import json
import shutil
import time

import numpy as np
import pytest
import torch
from fuzzing import FUZZ_SECONDS, measure, mutations
from safetensors.torch import load, save

from training.artifact.directory import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    add_file,
    load_artifact,
    save_artifact,
)
from training.artifact.manifest import MANIFEST_FILE, Manifest
from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.artifact.verbatim import VERBATIM_FILE, VerbatimIndex
from training.foundation.atomic_files import file_sha256
from training.foundation.errors import ArtifactError
from training.step.init_weights import initialise

TEXT = "import os\n\n\ndef main():\n    print(os.path.join('ação', '日本'))\n"
MAX_SECONDS, MAX_MIB = 3.0, 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory, byte_tokenizer):
    """A tiny artifact with fresh weights and an index of training text."""
    path = tmp_path_factory.mktemp("fuzz") / "model"
    config = GPT2Config(
        vocab_size=byte_tokenizer.vocab_size, n_positions=32, n_embd=8, n_layer=1, n_head=2
    )
    model = GPT2(config)
    initialise(model, torch.Generator().manual_seed(0))
    save_artifact(
        path,
        config=config,
        weights=model.state_dict(),
        tokenizer=byte_tokenizer,
        manifest=Manifest(context_tokens=32, evaluation={"perplexity": float("inf")}),
        card="# tiny\n",
    )
    hashes = np.arange(1, 50, dtype=np.uint64) << np.uint64(50)
    rows = [{"package": "p", "path": "a.py", "licence": "MIT"}]
    add_file(
        path, VERBATIM_FILE, VerbatimIndex.build(hashes, np.zeros(49, np.int64), rows).to_bytes()
    )
    return path


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the artifact that a test may damage."""
    return shutil.copytree(folder, tmp_path / "copy")


def use(folder):
    """Loads the artifact and does with it what a server does."""
    artifact = load_artifact(folder)
    ids = artifact.tokenizer.encode(TEXT)
    artifact.tokenizer.decode([*artifact.start_ids, *ids])
    if artifact.fim:
        artifact.fim.spm_prompt(ids, ids)
    with torch.no_grad():
        artifact.model()(torch.tensor([ids[: artifact.context_tokens]]))
    if artifact.verbatim:
        artifact.verbatim.find_reference(ids * 3)


def put(folder, name, data):
    """Replaces a file of the artifact, and its hash."""
    (folder / name).write_bytes(data)
    if name != MANIFEST_FILE:
        manifest = json.loads((folder / MANIFEST_FILE).read_text())
        manifest["sha256"][name] = file_sha256(folder / name)
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def fuzz(folder, name, seeds, seconds):
    """Returns how many mutations were refused and read; raises what is not our own error."""
    counts, slowest, sentences = {"refused": 0, "read": 0}, 0.0, set()
    for number, data in mutations(seeds, seed=name, seconds=seconds):
        put(folder, name, data)
        started = time.process_time()
        try:
            use(folder)
        except ArtifactError as error:
            counts["refused"] += 1
            sentences.add(str(error))
        except BaseException as error:
            raise AssertionError(f"mutation {number} of {name}") from error
        else:
            counts["read"] += 1
        slowest = max(slowest, time.process_time() - started)
    assert not any("\n" in sentence for sentence in sentences)
    return {**counts, "slowest": round(slowest, 2)}


@pytest.mark.parametrize(
    "name", [CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, MANIFEST_FILE, VERBATIM_FILE]
)
def test_artifact_fuzz(folder, name):
    """If it fails, a model from elsewhere ends the server in a traceback, or takes all memory."""
    intact = {file.name: file.read_bytes() for file in folder.iterdir()}
    try:
        outcome, _, mib = measure(lambda: fuzz(folder, name, [intact[name]], FUZZ_SECONDS / 2))
        assert outcome.startswith("{'refused': "), outcome
        assert float(outcome.rstrip("}").rpartition(" ")[2]) < MAX_SECONDS
        assert mib < MAX_MIB
    finally:
        for file, data in intact.items():
            (folder / file).write_bytes(data)


def with_vocabulary(values, **tokens):
    model = values["model"]
    return {"model": {**model, "vocab": {**model["vocab"], **tokens}}}


def with_token(values, **token):
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    n = len(values["model"]["vocab"])
    added = {"id": n, "content": "<x>", "special": True, **usual, **token}
    return {"added_tokens": [*values["added_tokens"], added]}


def without_last(values):
    vocabulary = values["model"]["vocab"]
    return {token: i for token, i in vocabulary.items() if i < len(vocabulary) - 1}


SLOW = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 200}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
TOKENIZERS = {
    "a slow pattern": lambda v: {"pre_tokenizer": SLOW},
    "a slow pattern first": lambda v: {
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [SLOW, v["pre_tokenizer"]]}
    },
    "no pattern": lambda v: {"pre_tokenizer": {**BYTE_LEVEL, "use_regex": False}},
    "a space before text": lambda v: {
        "pre_tokenizer": {**v["pre_tokenizer"], "add_prefix_space": True}
    },
    "text that grows": lambda v: {"normalizer": GROWING},
    "changed text": lambda v: {"normalizer": {"type": "NFC"}},
    "another model": lambda v: {
        "model": {"type": "WordLevel", "vocab": v["model"]["vocab"], "unk_token": "a"}
    },
    "chance": lambda v: {"model": {**v["model"], "dropout": 0.5}},
    "an id of four thousand million": lambda v: with_vocabulary(v, zz=4_000_000_000),
    "a gap": lambda v: with_vocabulary(v, zz=1000),
    "a token of no bytes": lambda v: with_vocabulary(v, 日=len(v["model"]["vocab"])),
    "a byte less": lambda v: {"model": {**v["model"], "vocab": without_last(v)}},
    "more tokens than the network": with_token,
    "a token that is text": lambda v: with_token(v, id=50, content=" ", special=False),
    "an added id of 2^31": lambda v: with_token(v, id=1 << 31),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_tokenizer_that_is_not_like_ours_is_refused(copy, kind):
    """If it fails, a few characters keep the server busy for ever, or the ids do not fit."""
    values = json.loads((copy / TOKENIZER_FILE).read_text())
    put(copy, TOKENIZER_FILE, json.dumps({**values, **TOKENIZERS[kind](values)}).encode())
    outcome, seconds, _ = measure(lambda: use(copy))
    assert outcome.startswith(f"ArtifactError: {copy}"), outcome
    assert seconds < MAX_SECONDS


def test_an_object_with_the_same_key_twice_is_refused(copy):
    """If it fails, the tokenizer that is checked is not the one that is used."""
    data = (copy / TOKENIZER_FILE).read_bytes()
    hostile = data.rstrip().removesuffix(b"}") + b', "normalizer": {"type": "NFC"}}'
    put(copy, TOKENIZER_FILE, hostile)
    with pytest.raises(ArtifactError, match="the same key twice"):
        use(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"context_tokens": 0}, "context_tokens is 0"),
        ({"context_tokens": 1 << 60}, "expected 2 to 32"),
        ({"context_tokens": 33}, "expected 2 to 32"),
        ({"quality_tokens": ["<nope>"]}, "lacks the token '<nope>'"),
        ({"format_version": "\ud800"}, "format version"),
        ({"training": {"config": [1]}}, "expected"),
        ({"training": {"of_tomorrow": 1}}, "unknown key 'of_tomorrow'.*update Parrotlet"),
        ({"sha256": {}}, "has no hash"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(copy, change, reason):
    manifest = json.loads((copy / MANIFEST_FILE).read_text())
    (copy / MANIFEST_FILE).write_text(json.dumps({**manifest, **change}))
    with pytest.raises(ArtifactError, match=reason):
        load_artifact(copy)


def store_as(copy, convert):
    tensors = {k: convert(v) for k, v in load((copy / WEIGHTS_FILE).read_bytes()).items()}
    put(copy, WEIGHTS_FILE, save(tensors))
    return copy


@pytest.mark.parametrize(
    ("convert", "reason"),
    [
        (lambda w: w.to(torch.int8), "is of type torch.int8, expected floating point"),
        (lambda w: w * float("nan"), "values that are not finite"),
        (lambda w: w / 0, "values that are not finite"),
        (lambda w: w[:1].clone(), "has shape"),
    ],
)
def test_weights_that_no_training_writes_are_refused(copy, convert, reason):
    """If it fails, a quantised or broken model suggests noise."""
    with pytest.raises(ArtifactError, match=reason):
        load_artifact(store_as(copy, convert))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_weights_of_any_floating_type_are_read(copy, dtype):
    artifact = load_artifact(store_as(copy, lambda w: w.to(dtype)))
    assert {w.dtype for w in artifact.weights.values()} == {torch.float32}


@pytest.mark.parametrize("name", [CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, MANIFEST_FILE])
def test_a_pointer_of_git_lfs_is_named(copy, name):
    (copy / name).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2\n"
    )
    with pytest.raises(ArtifactError, match="run 'git lfs pull'"):
        load_artifact(copy)


def test_an_intact_artifact_is_used(folder):
    use(folder)
    assert dataclasses.replace(load_artifact(folder).config, n_head=1).n_head == 1
