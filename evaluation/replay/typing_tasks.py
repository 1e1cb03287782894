"""What is typed: ranges of whole lines, taken from held-out files or any others."""

import ast
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.runs.corpus_documents import (
    CorpusDocument,
    alternate_packages,
    make_unique_id,
    read_documents,
)
from evaluation.runs.input_files import read_text_file
from training.foundation.errors import ConfigError, ParrotletError, PrerequisiteError
from training.foundation.foreign_text import path_text

_MIN_TARGET_CHARS = 120
_MIN_LINES_AROUND = 4
_MAX_FILE_CHARS = 60_000


@dataclass(frozen=True, kw_only=True)
class TypingTask:
    """A file with a gap, and the text that is typed there.

    ``package`` and ``path`` say which file of a workspace; of several versions of a file, each has
    an ``id`` of its own.
    """

    id: str
    prefix: str
    target: str
    suffix: str
    package: str = ""
    path: str = ""

    @property
    def file(self) -> str:
        """Package and path."""
        return f"{self.package}/{self.path}" if self.package else self.path or self.id


def cut_tasks(
    documents: Iterable[CorpusDocument], *, n: int, lines: int, seed: int
) -> list[TypingTask]:
    """Cuts a task from each of the first ``n`` documents that are long enough.

    Args:
        documents: In the order in which they are taken.
        n: The number of tasks.
        lines: The number of lines to type in each.
        seed: Seeds the choice of positions.

    Raises:
        ConfigError: No document has that many lines of Python.
    """
    tasks = []
    n_of_id: Counter[str] = Counter()
    for document in documents:
        task = _cut_task(document, lines, random.Random(f"{seed}:{document.name}"))
        if task is not None:
            tasks.append(replace(task, id=make_unique_id(task.id, n_of_id)))
        if len(tasks) == n:
            return tasks
    if not tasks:
        raise ConfigError(
            f"none of the files has {lines} lines of Python to type; choose other files or lower"
            " --lines"
        )
    return tasks


def read_python_files(folder: Path) -> Iterator[CorpusDocument]:
    """Yields the Python files in a folder, as documents of a package without a name.

    Only regular files count that lie in the folder after links are followed, since their text is
    shown in the report.

    Raises:
        PrerequisiteError: The folder does not exist.
    """
    if not folder.is_dir():
        raise PrerequisiteError(f"the folder {folder} does not exist; correct --files")
    for path in sorted(folder.rglob("*.py")):
        try:
            text = read_text_file(path, "--files", within=folder, max_bytes=4 * _MAX_FILE_CHARS)
        except ParrotletError:  # no text, no regular file, elsewhere, or too long to be typed
            continue
        yield CorpusDocument(package="", path=path_text(path.relative_to(folder)), text=text)


def read_heldout_files(corpus: Path, seed: int) -> Iterator[CorpusDocument]:
    """Yields a corpus' held-out files, from one package after the other.

    Raises:
        PrerequisiteError: The corpus does not exist.
    """
    documents = list(read_documents(corpus, "heldout"))
    return alternate_packages(documents, random.Random(f"{seed}:replay"))


def _cut_task(document: CorpusDocument, n_lines: int, chance: random.Random) -> TypingTask | None:
    text = document.text
    if "\r" in text or len(text) > _MAX_FILE_CHARS or not _parses(text):
        return None
    lines = [f"{line}\n" for line in text.split("\n")]  # not splitlines, which splits at form feeds
    starts = [
        i
        for i in range(_MIN_LINES_AROUND, len(lines) - n_lines - _MIN_LINES_AROUND)
        if _is_code(lines, i)
        and lines[i + n_lines - 1].strip() != ""
        and sum(map(len, lines[i : i + n_lines])) > _MIN_TARGET_CHARS
    ]
    if not starts:
        return None
    start = chance.choice(starts)
    target = "".join(lines[start : start + n_lines]).rstrip("\n")
    prefix = "".join(lines[:start])
    return TypingTask(
        id=document.name,
        prefix=prefix,
        target=target,
        suffix=text[len(prefix) + len(target) :],
        package=document.package,
        path=document.path,
    )


def _is_code(lines: Sequence[str], index: int) -> bool:
    return lines[index].strip() != "" and not lines[index].lstrip().startswith("#")


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
