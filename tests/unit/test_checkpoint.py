"""Which checkpoints stay, and which are believed."""

import json

import pytest
import torch

from training.checkpoint import (
    STATE_RECORD,
    TrainingState,
    checkpoints,
    load_newest_state,
    save_checkpoint,
)


def save(folder, step, loss=None, keep=2, every=0, write_artifact=lambda path: path.mkdir()):
    state = TrainingState(
        tensors={"master/x": torch.full((2,), float(step))},
        record={"step": step, "validation_loss": loss},
    )
    save_checkpoint(
        folder, state=state, keep=keep, keep_every_steps=every, write_artifact=write_artifact
    )


def steps(folder):
    return [int(p.name.removeprefix("step-")) for p in checkpoints(folder)]


def test_the_newest_the_best_and_every_nth_stay(tmp_path):
    losses = {10: 3.0, 20: 2.0, 30: None, 40: 2.5, 50: None, 60: 2.25, 70: None}
    for step, loss in losses.items():
        save(tmp_path, step, loss, keep=2, every=50)
    assert steps(tmp_path) == [20, 50, 60, 70]


def test_without_validations_only_the_newest_stay(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step, keep=1)
    assert steps(tmp_path) == [3]


def change_record(path):
    record = json.loads((path / STATE_RECORD).read_text())
    (path / STATE_RECORD).write_text(json.dumps({**record, "step": 3}))


def cut_record(path):
    (path / STATE_RECORD).write_text("[")


def flip_a_byte(path):
    file = path / "training_state.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def lose_tensors(path):
    (path / "training_state.safetensors").unlink()


@pytest.mark.parametrize("damage", [change_record, cut_record, flip_a_byte, lose_tensors])
def test_a_damaged_checkpoint_is_passed_over_with_a_message(tmp_path, capsys, damage):
    """If it fails, a run goes on from a place where it never was."""
    save(tmp_path, 1)
    save(tmp_path, 2)
    damage(checkpoints(tmp_path)[-1])
    state = load_newest_state(tmp_path)
    assert state.record["step"] == 1
    assert state.tensors["master/x"].tolist() == [1.0, 1.0]
    assert "step-00000002 is damaged" in capsys.readouterr().err


def test_a_failed_save_leaves_what_there_was(tmp_path):
    def fail(_path):
        raise OSError("no space left on device")

    save(tmp_path, 1)
    with pytest.raises(OSError, match="no space"):
        save(tmp_path, 2, keep=1, write_artifact=fail)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
