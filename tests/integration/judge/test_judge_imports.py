"""No process that evaluation starts imports from the working directory or PYTHONPATH."""

import asyncio

import pytest
from sandbox_levels import need_level

from evaluation.judge.levels.ranking import LEVELS, UNCONFINED
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Limits, Outcome
from evaluation.replay.lsp_client import LspClient

pytestmark = pytest.mark.integration

PLANTED = ("sitecustomize", "json", "training", "server/__init__", "evaluation/__init__")
PROGRAM = "import sys, evaluation\ndef f():\n    return [sys.path, sys.argv[1:]]\n"
TEST = "def check(candidate):\n    folders, arguments = candidate()\n    assert not arguments\n"


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A folder of modules that leave a mark when imported: the working directory and PYTHONPATH."""
    folder = tmp_path / "planted"
    for name in PLANTED:
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write(__name__)\n1 / 0\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    yield folder
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("isolation", [*LEVELS, UNCONFINED], ids=lambda isolation: isolation.name)
def test_the_judge_imports_nothing_of_the_users(planted, isolation):
    """If it fails, a user's module replaces one of the judge's, or of the standard library."""
    test = TEST + f"    assert {str(planted)!r} not in folders, folders\n"
    program = PROGRAM.replace(", evaluation", "") if isolation.needs_folder else PROGRAM
    if isolation is not UNCONFINED:
        need_level(isolation)
    job = Job(task_id="t", program=program, entry_point="f", prelude="", test=test)
    found = []
    settings = JudgeSettings(limits=Limits(), workers=1, isolation=isolation)
    judge_all([job], settings, report=lambda _, verdict: found.append(verdict))
    assert found[0].outcome is Outcome.PASSED, found


def test_replay_starts_our_server(planted, tiny_artifact):
    """If it fails, a package `server` in the folder that is replayed is run instead."""

    async def start():
        client = await LspClient.start(("--model", str(tiny_artifact)))
        await client.close()

    asyncio.run(start())
