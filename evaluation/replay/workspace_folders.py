"""The workspaces of a replay: each package's files in a folder that the server opens.

Of a file in which something is typed, the folder has what stands there before: it holds nothing of
the text that is typed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.replay.typing_tasks import TypingTask
from evaluation.runs.package_files import PackageFolders, write_documents
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


class WorkspaceFolders(PackageFolders):
    """A folder for each package of tasks, until it is closed; a context manager.

    Args:
        documents: All documents of all packages; empty for a replay without workspaces.
    """

    def group_tasks(self, tasks: Sequence[TypingTask]) -> list[TaskGroup]:
        """Returns all tasks in one group, or those of each package beside their workspace."""
        if not self.packages:
            return [TaskGroup(tasks=tasks, root=None, environment={})]
        packages = dict.fromkeys(task.package for task in tasks)
        return [
            self._make_group([task for task in tasks if task.package == package], number)
            for number, package in enumerate(packages)
        ]

    def _make_group(self, tasks: Sequence[TypingTask], number: int) -> TaskGroup:
        root = self.folder / str(number)
        root.mkdir()
        before = {task.path: task.prefix + task.suffix for task in tasks}
        documents = self.packages[tasks[0].package]
        write_documents(root, (replace(d, text=before.get(d.path, d.text)) for d in documents))
        environment = redirect_caches(self.folder / "caches")
        return TaskGroup(tasks=tasks, root=root, environment=environment)
