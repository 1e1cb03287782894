"""Which commit of the project is running, read from ``.git`` without starting git."""

from pathlib import Path

_UNKNOWN = "unknown"


def read_commit(start: Path = Path(__file__)) -> str:
    """Returns the checkout's commit, or "unknown" outside a checkout."""
    for folder in start.resolve().parents:
        git = folder / ".git"
        if git.is_dir():
            return _resolve(git)
    return _UNKNOWN


def _resolve(git: Path) -> str:
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).is_file():
            return (git / name).read_text(encoding="utf-8").strip()
        for line in (git / "packed-refs").read_text(encoding="utf-8").splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    except OSError:
        pass
    return _UNKNOWN
