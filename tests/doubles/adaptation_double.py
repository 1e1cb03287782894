"""What an adaptation reads, and what it leaves in the user's data folder, without training."""

import json
import os
import shutil
from dataclasses import replace

import psutil
import pytest

from server.adaptation.adaptation_state import AdaptationState, Outcome, Phase, RunState
from server.adaptation.adapted_models import PAGE_FILE, RESULT_FILE, create_model

BROUGHT = "The adapted model completes 24.1% of lines exactly instead of 19.0%."
RUNNING = "Training on this repository: 42%, about 9 minutes left."
REPEATING = '''

def compute_area_{number}(width, height):
    """Return the area of a rectangle with its border."""
    border = {number} * (width + height)
    if border > width * height:
        raise ValueError("the border is larger than the rectangle")
    return width * height + border
'''
PAGE = (
    "<!DOCTYPE html><html><head><title>R</title></head><body><h1>What it brought</h1></body></html>"
)


def write_repeating_files(folder):
    """Writes files that a model can be adapted to: they repeat themselves."""
    for part in range(14):
        functions = [REPEATING.format(number=12 * part + number) for number in range(12)]
        text = "import math\n" + "".join(functions)
        (folder / f"area_{part}.py").write_text(text, encoding="utf-8")


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
        )
        return made
