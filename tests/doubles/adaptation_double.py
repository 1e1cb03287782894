"""What an adaptation reads, and what it leaves in the user's data folder, without training."""

import asyncio
import contextlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from server.adaptation.adaptation_state import AdaptationState, Outcome, Phase, RunState
from server.adaptation.adapted_models import PAGE_FILE, RESULT_FILE, create_model

BROUGHT = "The adapted model completes 24.1% of lines exactly instead of 19.0%."
RUNNING = "Training on this repository: 42%, about 9 minutes left."
PAGE = '<!doctype html>\n<html lang="en"><meta charset="utf-8"><h1>What it brought</h1>\n'


def read_own_modules(n=12):
    """Returns files by name from which even the tiny model learns something."""
    modules = sorted(Path(asyncio.__file__).parent.glob("*.py"))[:n]
    return {module.name: module.read_text(encoding="utf-8") for module in modules}


def speed_up(data):
    """Gives a real adaptation its share of a busy machine, of which it takes only what is left.

    Args:
        data: The folder that the server knows as XDG_DATA_HOME.
    """
    for folder in (data / "parrotlet" / "models").glob("*/"):
        state = AdaptationState.read(folder)
        if state is None or not state.has_process:
            continue
        with contextlib.suppress(OSError, psutil.Error):  # it has ended, or we are no superuser
            process = psutil.Process(state.pid)
            for one in (process, *process.children(recursive=True)):
                one.nice(0)
                Path(f"/proc/{one.pid}/autogroup").write_text("0", encoding="ascii")


class AdaptationDouble:
    """An adaptation of a workspace whose process is the test's own.

    Args:
        folder: The workspace.
        data: The folder that the server knows as XDG_DATA_HOME.
        base: The setting ``model`` that it begins with.
    """

    def __init__(self, folder, data, base=""):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_DATA_HOME", str(data))
            self.model = create_model(folder, base)
        self.folder = self.model.folder
        self.state = AdaptationState(
            name=self.model.name,
            folder=self.model.record.path,
            phase=Phase.TRAINING,
            done=0.42,
            left_s=540.0,
            sentence=RUNNING,
            pid=os.getpid(),
            pid_started=psutil.Process().create_time(),
        )

    def write(self, **values):
        """Writes the state, with other values."""
        self.state = replace(self.state, **values)
        self.state.write(self.folder)

    @property
    def control(self):
        """What it was told last."""
        file = self.folder / "control"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def finish(self, outcome=Outcome.BETTER, artifact=None):
        """Ends it; returns the artifact's folder, to which ``artifact`` is copied."""
        made = self.folder / "artifacts" / "0001"
        if artifact is None:
            made.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copytree(artifact, made)
        page = self.folder / PAGE_FILE
        page.write_text(PAGE, encoding="utf-8")
        content = json.dumps({"sentence": BROUGHT})
        (self.folder / RESULT_FILE).write_text(content, encoding="utf-8")
        if outcome is Outcome.BETTER:
            self.model = self.model.update(version="0001")
        self.write(
            state=RunState.FINISHED,
            done=1.0,
            left_s=0.0,
            sentence=BROUGHT,
            outcome=outcome,
            page=str(page),
            pid=None,  # a process that has ended
            pid_started=None,
        )
        return made
