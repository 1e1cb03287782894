"""A stand-in for datatrove, which needs an environment of its own: its steps and local executor.

It has the interface that ``training.cluster`` uses, runs the tasks in this process, and finds no
near duplicates. ``tests/cluster`` runs the real one.
"""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

STAGES = ("training.cluster.stages", "training.cluster.steps")  # import datatrove


class Step:
    def __init__(self, *_arguments, **_options):
        pass

    def track_time(self):
        return nullcontext()

    def stat_update(self, *_names, **_values):
        pass

    def run(self, data=None, rank=0, world_size=1):
        yield from data or ()


class LocalExecutor:
    """Runs the tasks that are not completed, and notes each that is, as datatrove's does."""

    stages: ClassVar[list[str]] = []  # of which some task was run

    def __init__(self, *, pipeline, tasks, logging_dir, **_options):
        self._pipeline, self._tasks, self._logs = pipeline, tasks, Path(logging_dir)

    def get_incomplete_ranks(self, ranks=None, *, skip_completed=True):
        assert skip_completed
        done = self._logs / "completions"
        return [r for r in ranks or range(self._tasks) if not (done / f"{r:05d}").exists()]

    def run(self):
        for rank in self.get_incomplete_ranks():
            LocalExecutor.stages.append(self._logs.name)
            data = None
            for step in self._pipeline:
                data = step.run(data, rank, self._tasks)
            list(data)
            (self._logs / "completions").mkdir(parents=True, exist_ok=True)
            (self._logs / "completions" / f"{rank:05d}").touch()


def install(monkeypatch):
    """Puts the stand-in where ``training.cluster`` imports datatrove from, for one test."""
    contents = {
        "datatrove.executor": {
            f"{kind}PipelineExecutor": LocalExecutor for kind in ("Local", "Ray", "Slurm")
        },
        "datatrove.pipeline.dedup": {
            f"MinhashDedup{name}": Step for name in ("Buckets", "Cluster", "Signature")
        },
        "datatrove.pipeline.dedup.minhash": {"MinhashConfig": SimpleNamespace},
        "datatrove.data": {"Document": SimpleNamespace},
        "datatrove.pipeline.base": {"PipelineStep": Step},
        "datatrove.utils.word_tokenizers": {"WhitespaceTokenizer": Step},
    }
    for name in ("datatrove", "datatrove.pipeline", "datatrove.utils", *contents):
        module = ModuleType(name)
        vars(module).update(contents.get(name, {}))
        monkeypatch.setitem(sys.modules, name, module)
    for name in STAGES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(LocalExecutor, "stages", [])
    return LocalExecutor
