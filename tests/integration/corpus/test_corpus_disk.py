"""Disks that are full and places that cannot be written: one sentence, and finished parts stay."""

import json
import resource
import subprocess
import sys

import pytest

from training.corpus.__main__ import main
from training.foundation.errors import run_main

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix"),
]
TEXT = "def times_{0}(value):\n    '''Multiplies.'''\n    return value * {0}\n\n" * 4


def build(folder, *arguments, max_file_bytes=None):
    def limit():
        if max_file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))

    command = [sys.executable, "-m", "training.corpus", str(folder / "corpus.toml"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def folder(tmp_path):
    for name, n_files in (("a", 3), ("z", 300)):
        (tmp_path / name).mkdir()
        for i in range(n_files):
            (tmp_path / name / f"m{i}.py").write_text(TEXT.format(f"{name}{i}") * 3)
    (tmp_path / "corpus.toml").write_text(
        f"out = '{tmp_path}/out'\nlicences = ['MIT']\ndecontaminate = []\nprocesses = 1\n"
        f"[sources]\nfolders = ['{tmp_path}/a', '{tmp_path}/z']\nfolder_licence = 'MIT'\n"
    )
    return tmp_path


def test_a_full_disk_is_one_sentence_and_loses_no_finished_part(folder):
    """If it fails, the error names no file, or hours of reading are repeated."""
    code, error = build(folder, max_file_bytes=20_000)
    assert code == 3
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith(f"error: {folder}/.out.work/00001.parquet: ")
    assert not (folder / "out").exists()
    kept = (folder / ".out.work" / "00000.json").stat().st_mtime_ns
    assert json.loads((folder / ".out.work" / "00000.json").read_text())["package"] == "a"
    assert build(folder)[0] == 0
    assert kept  # the report was complete, and the second run did not need the first source
    assert not (folder / ".out.work").exists()


@pytest.mark.parametrize("out", ["corpus.toml", "corpus.toml/x", "n" * 300])
def test_an_out_that_cannot_be_a_folder_is_one_sentence(folder, out, capsys):
    code = run_main(main, [str(folder / "corpus.toml"), f"out='{folder}/{out}'"])
    error = capsys.readouterr().err
    assert code in {2, 3}
    assert "Traceback" not in error
    (line,) = [line for line in error.splitlines() if line.startswith("error: ")]
    assert out[:11] in line
    assert (folder / "corpus.toml").read_text().startswith("out = ")


def test_a_damaged_dataset_leaves_its_sentence_last(folder):
    """If it fails, a library's warning follows the error, and a log shows the wrong line."""
    (folder / "hub").mkdir()
    (folder / "hub" / "train.parquet").write_bytes(b"PAR1" + bytes(50))
    code, error = build(folder, f"sources.hub=['{folder}/hub']")
    assert code == 3
    assert error.splitlines()[-1].startswith(f"error: {folder}/hub/train.parquet is damaged (")
