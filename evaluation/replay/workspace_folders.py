"""The workspaces of a replay: each package's files in a folder that the server opens.

Of a file in which something is typed, the folder has what stands there before: it holds nothing of
the text that is typed.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluation.replay.typing_tasks import TypingTask
from evaluation.runs.corpus_documents import CorpusDocument
from evaluation.runs.package_files import group_packages, write_documents
from server.user_folders import redirect_caches


@dataclass(frozen=True, kw_only=True)
class TaskGroup:
    """Tasks that are typed into one server.

    Attributes:
        tasks: At least one.
        root: The workspace; None for none.
        environment: What to set in the server's environment.
    """

    tasks: Sequence[TypingTask]
    root: Path | None
    environment: dict[str, str]


class WorkspaceFolders:
    """The folders, until it is closed; a context manager.

    Args:
        documents: All documents of all packages; empty for a replay without workspaces.
    """

    def __init__(self, documents: Sequence[CorpusDocument]) -> None:
        self._packages = group_packages(documents)
        self._folder = tempfile.TemporaryDirectory(prefix="replay-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def group_tasks(self, tasks: Sequence[TypingTask]) -> list[TaskGroup]:
        """Returns all tasks in one group, or those of each package beside their workspace."""
        if not self._packages:
            return [TaskGroup(tasks=tasks, root=None, environment={})]
        packages = dict.fromkeys(task.package for task in tasks)
        return [
            self._make_group([task for task in tasks if task.package == package], number)
            for number, package in enumerate(packages)
        ]

    def _make_group(self, tasks: Sequence[TypingTask], number: int) -> TaskGroup:
        folder = Path(self._folder.name)
        root = folder / str(number)
        if not root.exists():
            root.mkdir()
            before = {task.path: task.prefix + task.suffix for task in tasks}
            documents = self._packages[tasks[0].package]
            write_documents(root, (replace(d, text=before.get(d.path, d.text)) for d in documents))
        return TaskGroup(tasks=tasks, root=root, environment=redirect_caches(folder / "caches"))
