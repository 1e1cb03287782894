"""What is typed: ranges of whole lines, cut out of held-out files or any others."""

import ast
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from evaluation.accuracy.items import heldout_documents, in_turns
from evaluation.replay.session import Task
from training.foundation.errors import ConfigError, PrerequisiteError

_LEAST_CHARS = 120
_LEAST_LINES_AROUND = 4
_MOST_FILE_CHARS = 60_000


def cut_tasks(documents: Iterable[tuple[str, str]], *, n: int, lines: int, seed: int) -> list[Task]:
    """Cuts a task from each of the first ``n`` documents that have one.

    Args:
        documents: Names and texts.
        n: How many.
        lines: How many lines each is long.
        seed: Of the places.

    Raises:
        ConfigError: There are no such documents.
    """
    tasks = []
    for name, text in documents:
        task = _cut(name, text, lines, random.Random(f"{seed}:{name}"))
        if task is not None:
            tasks.append(task)
        if len(tasks) == n:
            return tasks
    if not tasks:
        raise ConfigError(
            f"none of the files has {lines} lines of Python to type; choose other files or lower"
            " --lines"
        )
    return tasks


def files_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields name and text of the Python files in a folder.

    Raises:
        PrerequisiteError: There is no such folder.
    """
    if not folder.is_dir():
        raise PrerequisiteError(f"the folder {folder} does not exist; correct --files")
    for path in sorted(folder.rglob("*.py")):
        try:
            yield str(path.relative_to(folder)), path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue


def heldout(corpus: Path, seed: int) -> Iterator[tuple[str, str]]:
    """Yields name and text of a corpus' held-out files, a package after the other."""
    documents = list(heldout_documents(corpus))
    for package, path, text in in_turns(documents, random.Random(f"{seed}:replay")):
        yield f"{package}/{path}", text


def _cut(name: str, text: str, n_lines: int, chance: random.Random) -> Task | None:
    if "\r" in text or len(text) > _MOST_FILE_CHARS or not _parses(text):
        return None
    lines = [f"{line}\n" for line in text.split("\n")]  # not splitlines, which splits at form feeds
    firsts = [
        i
        for i in range(_LEAST_LINES_AROUND, len(lines) - n_lines - _LEAST_LINES_AROUND)
        if _may_begin(lines, i)
        and lines[i + n_lines - 1].strip() != ""
        and sum(map(len, lines[i : i + n_lines])) > _LEAST_CHARS
    ]
    if not firsts:
        return None
    first = chance.choice(firsts)
    target = "".join(lines[first : first + n_lines]).rstrip("\n")
    before = "".join(lines[:first])
    return Task(id=name, prefix=before, target=target, suffix=text[len(before) + len(target) :])


def _may_begin(lines: Sequence[str], index: int) -> bool:
    return lines[index].strip() != "" and not lines[index].lstrip().startswith("#")


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True
