"""An artifact is written whole, read back equal, and refused when it is not whole."""

import functools
import json

import pytest
import torch

from training.artifact.directory import (
    ARTIFACT_FOLDER,
    add_file,
    add_metrics,
    load_artifact,
    save_artifact,
)
from training.artifact.extras.carry_extras import keep_extras
from training.artifact.manifest import MEMORY_FILE, Manifest, TrainingRecord
from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.foundation.errors import ArtifactError
from training.step.init_weights import initialise


@pytest.fixture
def saved(tmp_path, byte_tokenizer):
    config = GPT2Config(vocab_size=320, n_positions=32, n_embd=16, n_layer=1, n_head=2)
    model = GPT2(config)
    initialise(model, torch.Generator().manual_seed(0))
    path = tmp_path / "model"
    save_artifact(
        path,
        config=config,
        weights=model.state_dict(),
        tokenizer=byte_tokenizer,
        manifest=Manifest(
            context_tokens=32,
            training=TrainingRecord(tokens_seen=5, seed=3),
            evaluation={"loss": 1.5},
        ),
        card="# card\n",
        dtype=torch.float32,
    )
    return path, model


def test_what_is_saved_is_loaded(saved):
    path, model = saved
    artifact = load_artifact(path)
    ids = torch.arange(20)[None]
    assert torch.equal(artifact.model()(ids), model(ids))
    assert artifact.manifest.training.tokens_seen == 5
    assert artifact.manifest.evaluation == {"loss": 1.5}
    assert artifact.fim is not None
    assert not [p for p in path.parent.iterdir() if p != path], "something was left aside"


def test_others_than_its_writer_can_read_it(saved):
    """If it fails, a model that one user has trained for a team can be read by that user alone."""
    modes = {p.name: p.stat().st_mode & 0o777 for p in saved[0].iterdir()}
    assert set(modes.values()) == {0o644}, modes


def test_what_is_added_later_belongs_to_it(saved):
    """If it fails, a finished run that was fitted to workspaces cannot be run again."""
    path, _ = saved
    add_file(path, MEMORY_FILE, b"{}")
    assert ARTIFACT_FOLDER.find_foreign(path) is None


@pytest.mark.parametrize("change", ["none", "weights", "damage"])
def test_what_was_added_stays_with_the_same_weights(saved, capsys, change):
    """If it fails, a run that is run again loses its index, or has that of another model."""
    path, model = saved
    add_file(path, MEMORY_FILE, b"{}")
    add_metrics(path, {"confidence_slope": 0.5})
    if change == "damage":
        (path / MEMORY_FILE).write_bytes(b"[")
    before = load_artifact(path)
    more = 1.0 if change == "weights" else 0.0
    save_artifact(
        path,
        config=before.config,
        weights={name: w + more for name, w in model.state_dict().items()},
        tokenizer=before.tokenizer,
        manifest=Manifest(context_tokens=32, evaluation={"loss": 1.25}),
        card="# card\n",
        dtype=torch.float32,
        complete=functools.partial(keep_extras, replaced=path),
    )
    after, said = load_artifact(path), capsys.readouterr().err
    calibration = {} if change == "weights" else {"confidence_slope": 0.5}
    assert after.manifest.evaluation == {"loss": 1.25, **calibration}
    assert after.memory_gate == ({} if change == "none" else None)
    assert ("fit-memory" in said, "calibrate" in said) == {
        "none": (False, False),
        "weights": (True, True),
        "damage": (True, False),
    }[change]
    assert "index-verbatim" not in said


def test_transformers_loads_it_as_it_is(saved):
    """If it fails, the model cannot be used outside of this project."""
    transformers = pytest.importorskip("transformers")
    path, model = saved
    theirs = transformers.GPT2LMHeadModel.from_pretrained(path)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, model(ids), atol=1e-5, rtol=1e-4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    text = "def f(x):\n    return 'ü😀'\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.eos_token_id == load_artifact(path).end_of_text_id


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "parrotlet.json"]
)
@pytest.mark.parametrize("damage", ["remove", "truncate", "flip"])
def test_damage_is_named_in_one_sentence(saved, name, damage):
    """If it fails, a broken download completes nonsense, or shows a traceback."""
    path, _ = saved
    file = path / name
    data = file.read_bytes()
    if damage == "remove":
        file.unlink()
    elif damage == "truncate":
        file.write_bytes(data[: len(data) // 2])
    else:
        middle = len(data) // 2
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :])
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")) as caught:
        load_artifact(path)
    assert "\n" not in str(caught.value)


def test_another_format_version_is_refused(saved):
    path, _ = saved
    manifest = json.loads((path / "parrotlet.json").read_text())
    (path / "parrotlet.json").write_text(json.dumps({**manifest, "format_version": 99}))
    with pytest.raises(ArtifactError, match="format version 99, this version reads 1"):
        load_artifact(path)


def test_missing_directory_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="there is no model directory"):
        load_artifact(tmp_path / "nowhere")
