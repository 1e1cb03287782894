"""Which commit is checked out, of the project by default, read from ``.git`` without git."""

from pathlib import Path

from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import read_bounded
from training.foundation.work_trees import find_common_folder, find_git_folder, read_pointer

UNKNOWN = "unknown"
_PROJECT = Path(__file__).resolve().parents[2]
_MAX_REFS_BYTES = 1 << 26


def read_commit(project: Path = _PROJECT) -> str:
    """Returns the checkout's commit; "unknown" if the project is installed in another way.

    Args:
        project: The top of the checkout. Folders above it are not looked at: they may be a
            repository that the project is merely installed in.
    """
    if not (project / ".git").exists():
        return UNKNOWN
    try:
        return _resolve(find_git_folder(project))
    except (OSError, ForeignDataError):
        return UNKNOWN


def _resolve(git: Path) -> str:
    head = read_pointer(git / "HEAD")
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    shared = find_common_folder(git)
    if (shared / name).is_file():
        return read_pointer(shared / name)
    refs = read_bounded(shared / "packed-refs", _MAX_REFS_BYTES).decode(errors="replace")
    for line in refs.splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit
    return UNKNOWN
