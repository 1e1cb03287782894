"""The corpus command as users meet it: run again, with mistakes, interrupted."""

import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from training.corpus.__main__ import main
from training.foundation.errors import ConfigError, CorpusError, run_main

pytestmark = pytest.mark.integration

TEXT = "def times_{0}(value):\n    '''Multiplies.'''\n    return value * {0}\n\n" * 4


@pytest.fixture
def folder(tmp_path):
    """A project, and the config that reads it."""
    return make_folder(tmp_path)


@pytest.fixture(scope="session")
def built(build_once):
    """One whose corpus has been built, and whose project has a file with a hostile name."""
    return build_once("built-project", build_folder)


def build_folder(folder):
    make_folder(folder)
    (folder / "project" / "<img src=x onerror=alert(1)>.py").write_text("x")
    assert run(folder) == 0


def make_folder(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for i in range(3):
        (project / f"m{i}.py").write_text(TEXT.format(i))
    (tmp_path / "corpus.toml").write_text(
        f"out = '{tmp_path}/out'\nlicences = ['MIT', 'PSF-2.0']\ndecontaminate = []\n"
        f"heldout_share = 0\nprocesses = 1\n[sources]\nfolders = ['{project}']\n"
        "folder_licence = 'MIT'\n"
    )
    return tmp_path


def run(folder, *arguments):
    return main([str(folder / "corpus.toml"), *arguments])


def report(folder):
    return json.loads((folder / "out" / "report.json").read_text())


@pytest.fixture
def copied(built, tmp_path):
    """A corpus of the built folder's config, which a test may change."""
    return shutil.copytree(built / "out", tmp_path / "copied")


def test_a_finished_corpus_is_not_built_again(built, copied, capsys):
    before = (copied / "report.json").stat()
    assert run(built, f"out={copied}") == 0
    assert "is up to date" in capsys.readouterr().out
    assert (copied / "report.json").stat().st_mtime_ns == before.st_mtime_ns
    run(built, f"out={copied}", "--force")
    assert (copied / "report.json").stat().st_ino != before.st_ino


def test_a_changed_source_or_config_is_noticed(folder):
    """If it fails, yesterday's corpus is taken for today's."""
    run(folder)
    first = report(folder)["corpus_sha256"]
    (folder / "project" / "m3.py").write_text(TEXT.format(3))
    run(folder)
    second = report(folder)
    assert second["splits"]["train"]["documents"] == 4
    run(folder, "heldout=['x']")
    assert report(folder)["config"]["heldout"] == ["x"]
    assert first != second["corpus_sha256"]


def test_an_incomplete_corpus_is_built_again(built, copied):
    (copied / "train" / "part-00000.parquet").unlink()
    run(built, f"out={copied}")
    assert (copied / "train" / "part-00000.parquet").is_file()


def test_a_folder_of_something_else_is_never_replaced(folder):
    """If it fails, a slip in 'out' deletes somebody's work."""
    with pytest.raises(ConfigError, match="holds something else"):
        run(folder, f"out={folder}/project")
    assert len(list((folder / "project").iterdir())) == 3


def test_an_archive_cannot_hide_a_heldout_package(folder):
    """If it fails, validation measures text that was trained on."""
    with zipfile.ZipFile(folder / "innocent-1-py3-none-any.whl", "w") as archive:
        archive.writestr("wagtail/a.py", TEXT.format(7))
        archive.writestr(
            "innocent-1.dist-info/METADATA", "Name: Wagtail\nVersion: 1\nLicense: MIT\n"
        )
    wheel = f"sources.archives=['{folder}/innocent-1-py3-none-any.whl']"
    run(folder, wheel, "heldout=['wagtail']")
    report = json.loads((folder / "out/report.json").read_text())
    assert report["heldout"]["packages"] == ["Wagtail"]
    assert {p["package"]: p["split"] for p in report["packages"]}["Wagtail"] == "heldout"


def test_a_heldout_name_without_a_source_is_reported(folder, capsys):
    run(folder, "heldout=['wagtial']")
    assert "'heldout' names wagtial" in capsys.readouterr().err


def test_the_report_agrees_with_the_data(built):
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(built / "out" / "train")
    totals = report(built)
    assert totals["splits"]["train"]["documents"] == table.num_rows == 3
    n_bytes = sum(len(text.encode()) for text in table["text"].to_pylist())
    assert totals["splits"]["train"]["bytes"] == n_bytes
    assert totals["licences"] == {"MIT": {"documents": 3, "bytes": n_bytes}}
    assert totals["funnel"][0]["documents"] == sum(p["files"] for p in totals["packages"])
    assert totals["funnel"][-1]["documents"] == table.num_rows
    assert sum(totals["sizes"].values()) == table.num_rows
    assert (built / "out" / "NOTICE").read_text().endswith("project: MIT\n")
    card = (built / "out" / "README.md").read_text()
    assert "| project |  | MIT | train | 3 | 0.0 |" in card


def test_the_page_escapes_names(built):
    """If it fails, a file name in some package runs code in the reader's browser."""
    page = (built / "out" / "report.html").read_text()
    assert "&lt;img src=x" in page
    assert "<img" not in page
    assert "http" not in page, "the page needs nothing from elsewhere"


def test_a_killed_worker_does_not_hang_the_build(folder):
    """If it fails, a machine short of memory waits for ever."""

    def kill_first_reader():
        while not multiprocessing.active_children():
            time.sleep(0.01)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill_first_reader)
    killer.start()
    with pytest.raises(CorpusError, match="was killed"):
        run(folder)
    killer.join()
    assert not (folder / "out").exists()


def start(folder):
    """Starts the command on the whole standard library, and waits until its reader is at it."""
    command = [sys.executable, "-m", "training.corpus", str(folder / "corpus.toml")]
    heard = ["env", "--default-signal=INT"]  # ignored by what runs in the background
    process = subprocess.Popen([*heard, *command, "sources.stdlib=['.']"], stderr=subprocess.PIPE)
    while not list(folder.glob(".out.work/*.parquet")) and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None, process.stderr.read()
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the readers under /proc")
def test_a_killed_build_leaves_no_corpus_and_no_workers(folder):
    process = start(folder)
    children = _children(process.pid)
    process.kill()
    process.communicate()
    assert not (folder / "out").exists()
    deadline = time.monotonic() + 20
    while any(_is_running(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert children
    assert not [pid for pid in children if _is_running(pid)], "readers outlive the run"


def test_a_killed_build_resumes_with_the_same_result(folder):
    """If it fails, a night of reading is lost, or the corpus depends on the interruptions."""
    for i in range(4):
        project = folder / f"project{i}"
        project.mkdir()
        (project / "a.py").write_text(TEXT.format(i + 100))
    folders = [str(folder / f"project{i}") for i in range(4)]
    override = f"sources.folders={folders}"
    whole = [override, f"out={folder}/whole"]
    assert run(folder, *whole) == 0
    for n_parts in (1, 2):
        command = [sys.executable, "-m", "training.corpus", str(folder / "corpus.toml"), override]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while len(list(folder.glob(".out.work/*.json"))) < n_parts and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.communicate()
    was_quicker_than_the_kill = (folder / "out").exists()
    assert list(folder.glob(".out.work/*.json")) or was_quicker_than_the_kill
    assert run(folder, override) == 0
    for path in sorted((folder / "whole").rglob("*.parquet")):
        assert (
            path.read_bytes() == (folder / "out" / path.relative_to(folder / "whole")).read_bytes()
        )
    assert not (folder / ".out.work").exists()


def test_an_interrupt_is_one_line(folder):
    process = start(folder)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert b"interrupted" in error
    assert not (folder / "out").exists()
    assert not list(folder.glob(".out.new-*")), "something was left aside"


def _children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_mistakes_on_the_command_line_are_one_line(folder, capsys):
    assert run_main(main, [str(folder / "none.toml")]) == 2
    assert run_main(main, [str(folder / "corpus.toml"), "processes=0"]) == 2
    assert run_main(main, [str(folder / "corpus.toml"), "novalue"]) == 2
    assert capsys.readouterr().err.count("error: ") == 3
    assert not (folder / "out").exists()
