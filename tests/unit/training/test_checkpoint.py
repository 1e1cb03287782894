"""Which checkpoints are kept, and which are trusted."""

import json
import os
from pathlib import Path

import pytest
import torch

from training.foundation.errors import PrerequisiteError
from training.run.checkpoint import (
    STATE_RECORD,
    CheckpointRecord,
    discard_unfinished,
    list_checkpoints,
    load_newest_state,
    save_checkpoint,
    write_state,
)


def save(folder, step, loss=None, keep=2, every=0, write_artifact=lambda path: path.mkdir()):
    write_state(folder, step, {"master/x": torch.full((2,), float(step))})
    save_checkpoint(
        folder,
        record=CheckpointRecord(step=step, validation_loss=loss),
        keep=keep,
        keep_every_steps=every,
        write_artifact=write_artifact,
    )


def steps(folder):
    return [int(p.name.removeprefix("step-")) for p in list_checkpoints(folder)]


def test_the_newest_the_best_and_every_nth_are_kept(tmp_path):
    losses = {10: 3.0, 20: 2.0, 30: None, 40: 2.5, 50: None, 60: 2.25, 70: None}
    for step, loss in losses.items():
        save(tmp_path, step, loss, keep=2, every=50)
    assert steps(tmp_path) == [20, 50, 60, 70]


def test_without_validations_only_the_newest_are_kept(tmp_path):
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
def test_a_damaged_checkpoint_is_skipped_with_a_message(tmp_path, capsys, damage):
    """If it fails, a run resumes from a state that never existed."""
    save(tmp_path, 1)
    save(tmp_path, 2)
    damage(list_checkpoints(tmp_path)[-1])
    state = load_newest_state(tmp_path)
    assert state.record.step == 1
    assert state.tensors.read("master/x").tolist() == [1.0, 1.0]
    assert "step-00000002 is damaged" in capsys.readouterr().err


def test_a_failed_save_keeps_earlier_checkpoints(tmp_path):
    def fail(_path):
        raise OSError("no space left on device")

    save(tmp_path, 1)
    with pytest.raises(OSError, match="no space"):
        save(tmp_path, 2, keep=1, write_artifact=fail)
    discard_unfinished(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]


@pytest.mark.parametrize("n_wrote", [1, 2, 3])
@pytest.mark.parametrize("n_read", [1, 2, 4])
def test_any_number_of_processes_reads_what_another_number_wrote(tmp_path, n_wrote, n_read):
    """If it fails, a run cannot move to more machines, or resumes with the wrong rows."""
    whole = torch.arange(14.0).reshape(7, 2)
    for index in range(n_wrote):
        part = whole.chunk(n_wrote)[index]
        tensors = {"master/x": part, "step/x": torch.tensor(5.0)}
        write_state(tmp_path, 5, tensors, index=index, n_shards=n_wrote)
    save_checkpoint(
        tmp_path,
        record=CheckpointRecord(step=5),
        keep=1,
        keep_every_steps=0,
        n_shards=n_wrote,
        write_artifact=lambda p: p.mkdir(),
    )
    read = load_newest_state(tmp_path).tensors.read
    size = -(-7 // n_read)
    rows = [slice(size * i, min(size * (i + 1), 7)) for i in range(n_read)]
    assert torch.equal(torch.cat([read("master/x", r) for r in rows]), whole)
    assert read("step/x", rows[-1]).item() == 5.0
    assert read("master/x", slice(7, 7)).shape == (0, 2)
    assert not list(tmp_path.glob(".*"))


def test_parts_of_another_number_of_processes_are_not_taken(tmp_path):
    """If it fails, a kill while a checkpoint is written makes the next one useless."""
    whole = torch.arange(8.0).reshape(4, 2)
    for index in range(2):
        write_state(tmp_path, 8, {"master/x": whole.chunk(2)[index]}, index=index, n_shards=2)
    write_state(tmp_path, 8, {"master/x": whole})  # by one, after the two were killed
    save_checkpoint(
        tmp_path,
        record=CheckpointRecord(step=8),
        keep=1,
        keep_every_steps=0,
        write_artifact=lambda p: p.mkdir(),
    )
    assert torch.equal(load_newest_state(tmp_path).tensors.read("master/x"), whole)
    assert not list(tmp_path.glob(".*"))


def test_a_part_that_is_missing_makes_no_checkpoint(tmp_path):
    """If it fails, machines that do not share the folder save what cannot be resumed."""
    write_state(tmp_path, 8, {"master/x": torch.zeros(2)}, index=0, n_shards=2)
    with pytest.raises(PrerequisiteError, match=r"00001-of-00002.*must be a folder that all"):
        save_checkpoint(
            tmp_path,
            record=CheckpointRecord(step=8),
            keep=1,
            keep_every_steps=0,
            n_shards=2,
            write_artifact=lambda p: p.mkdir(),
        )
    assert steps(tmp_path) == []


def save_and_die(folder, step, moment):
    """Saves in a process that is killed at some moment."""
    if os.fork():
        os.wait()
        return
    if moment == "written":
        save(folder, step, write_artifact=lambda _: os._exit(9))
    rename, n_left = Path.rename, ["old", "new"].index(moment)

    def rename_and_die(path, target):
        nonlocal n_left
        if folder in {path.parent, target.parent}:  # not what is inside
            if not n_left:
                os._exit(9)
            n_left -= 1
        return rename(path, target)

    Path.rename = rename_and_die
    save(folder, step)
    os._exit(9)


@pytest.mark.parametrize("moment", ["written", "old", "new"])
def test_what_a_killed_process_leaves_is_removed_and_no_checkpoint_lost(tmp_path, moment):
    """If it fails, each kill takes a checkpoint's size of the disk for good."""
    save(tmp_path, 4)
    save(tmp_path, 8)
    (tmp_path / ".step-notes.new-mine").mkdir()
    save_and_die(tmp_path, 8, moment)
    assert len(list(tmp_path.glob(".step-0*"))) > 0
    assert steps(tmp_path) == ([4] if moment == "new" else [4, 8])
    discard_unfinished(tmp_path)
    assert [path.name for path in tmp_path.glob(".*")] == [".step-notes.new-mine"]
    assert steps(tmp_path) == [4, 8]
    assert load_newest_state(tmp_path).record.step == 8
