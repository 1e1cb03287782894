"""One writer per folder: real processes, a kill, and file systems without locks."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from training.foundation import folder_lock as module
from training.foundation.atomic_files import FolderContents, write_directory_atomically
from training.foundation.errors import PrerequisiteError
from training.foundation.folder_lock import FolderInUseError, folder_lock, lock_path

HOLD = """
import sys
from pathlib import Path
from training.foundation.folder_lock import folder_lock
with folder_lock(Path(sys.argv[1]), beside=len(sys.argv) > 2):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder, *, beside=False):
    """Another process that holds the folder's lock until it is killed or its input ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", HOLD, str(folder), *(["beside"] if beside else [])]
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("beside", [False, True])
def test_a_second_process_is_refused_and_told_who_has_the_folder(tmp_path, beside):
    """If it fails, two runs overwrite each other's checkpoints."""
    folder = tmp_path / "run"
    with holder(folder, beside=beside) as process:
        with pytest.raises(FolderInUseError) as error, folder_lock(folder, beside=beside):
            pass
        assert error.value.exit_code == 3
        for fact in (str(folder), f"process {process.pid}", " on ", "UTC"):
            assert fact in str(error.value)
    with folder_lock(folder, beside=beside):
        pass


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_no_stale_lock_is_left(tmp_path, how):
    """If it fails, a run that was killed cannot be resumed without removing a file by hand."""
    with holder(tmp_path / "run") as process:
        if how is None:
            process.stdin.close()
        else:
            process.send_signal(how)
        process.wait(timeout=10)
        with folder_lock(tmp_path / "run"):
            pass


def test_the_lock_file_is_removed_at_the_end(tmp_path):
    with folder_lock(tmp_path / "run"):
        assert lock_path(tmp_path / "run").is_file()
    assert list((tmp_path / "run").iterdir()) == []
    with folder_lock(tmp_path / "corpus", beside=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_is_refused_twice_in_one_process_and_by_any_name(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    with folder_lock(tmp_path / "run"):
        for name in ("run", "./run/../run", tmp_path / "link"):
            with pytest.raises(FolderInUseError), folder_lock(Path(name)):
                pass


def test_a_lock_beside_survives_that_the_folder_is_replaced(tmp_path):
    """If it fails, the corpus is protected only until its first version is written."""
    folder = tmp_path / "corpus"
    contents = FolderContents(mark="report.json", files=frozenset({"report.json"}))
    with holder(folder, beside=True):
        for _ in range(2):
            with write_directory_atomically(folder, contents) as aside:
                (aside / "report.json").write_text("{}")
            with pytest.raises(FolderInUseError), folder_lock(folder, beside=True):
                pass


def test_a_damaged_record_is_no_reason_to_fail_otherwise(tmp_path):
    with holder(tmp_path / "run"):
        lock_path(tmp_path / "run").write_text("[]")
        with (
            pytest.raises(FolderInUseError, match="another process"),
            folder_lock(tmp_path / "run"),
        ):
            pass


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_a_lock_file_that_leads_elsewhere_is_refused(tmp_path, kind):
    """If it fails, a folder from elsewhere empties a file of the user's."""
    users, run = tmp_path / ".bashrc", tmp_path / "run"
    users.write_text("export A=1\n")
    run.mkdir()
    make = {
        "link": lambda path: path.symlink_to(users),
        "hard link": lambda path: path.hardlink_to(users),
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
    }
    make[kind](lock_path(run))
    with pytest.raises(PrerequisiteError, match=r"\.lock"), folder_lock(run):
        pass
    assert users.read_text() == "export A=1\n"


def test_a_file_system_without_locks_is_warned_about(tmp_path, monkeypatch, capsys):
    def refuse(_handle):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(module, "_try_lock", refuse)
    with folder_lock(tmp_path / "run"):
        pass
    assert "has no locks (Function not implemented)" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PrerequisiteError, match="cannot write"),
        folder_lock(tmp_path / "file" / "run"),
    ):
        pass


def test_a_new_owner_does_not_take_a_file_that_is_being_removed(tmp_path):
    """Its owner unlinks it while another has it open: the other must lock the new file instead."""
    path = lock_path(tmp_path)
    handle = module._open(path)
    path.unlink()
    assert not module._is_same_file(handle, path)
    with folder_lock(tmp_path):
        assert not module._is_same_file(handle, path)
