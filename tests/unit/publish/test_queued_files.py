"""What a run's queue publishes: the files of an artifact, and nothing from elsewhere."""

import os
import shutil

import pytest
from listed_hub import TARGET, queue

from training.foundation.errors import PrerequisiteError
from training.publish.sender import send_all


@pytest.mark.parametrize("kind", ["file", "folder", "pipe", "queue"])
def test_a_queue_publishes_nothing_from_elsewhere(outbox, hub, tmp_path, kind):
    """If it fails, the run of a stranger publishes the keys of whoever sends its queue."""
    secret = tmp_path / "home/config.json"
    secret.parent.mkdir()
    secret.write_text("private key")
    queue(outbox, tmp_path, 1)
    (entry,) = outbox.commits()
    (entry.path / "notes.txt").write_text("not part of an artifact")
    if kind in {"file", "pipe"}:
        (entry.path / "config.json").unlink()
        if kind == "pipe":
            os.mkfifo(entry.path / "config.json")
        else:
            (entry.path / "config.json").symlink_to(secret)
    elif kind == "folder":
        shutil.rmtree(entry.path)
        entry.path.symlink_to(secret.parent)
    else:
        outbox.path.rename(tmp_path / "home/outbox")
        outbox.path.symlink_to(tmp_path / "home/outbox")
    with pytest.raises(PrerequisiteError, match=r"is not published"):
        send_all(outbox, hub, TARGET, pause=lambda _: None)
    assert hub.commits == []


def test_links_within_a_run_and_other_files(outbox, hub, tmp_path):
    queue(outbox, tmp_path, 1)
    (entry,) = outbox.commits()
    (entry.path / "notes.txt").write_text("not part of an artifact")
    (entry.path / "config.json").rename(outbox.run / "config.json")
    (entry.path / "config.json").symlink_to(outbox.run / "config.json")
    send_all(outbox, hub, TARGET, pause=lambda _: None)
    assert set(hub.trees["run"]) == {"config.json", "model.safetensors"}


def test_only_what_a_kill_left_is_removed(outbox, tmp_path):
    """If it fails, starting a run removes somebody's hidden folders from its queue."""
    queue(outbox, tmp_path, 1)
    left = [".000002-model-00000003.gone", ".000002-checkpoint-00000003.new-abc"]
    kept = [".git", ".notes.gone", ".000002-model-x.gone"]
    for name in (*left, *kept):
        (outbox.path / name).mkdir()
        (outbox.path / name / "file").touch()
    outbox.clean_up()
    assert {path.name for path in outbox.path.glob(".*")} == set(kept)
    assert len(outbox.commits()) == 1
