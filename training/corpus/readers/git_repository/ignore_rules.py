"""Which files of a folder git ignores by its repository's rules, in linear time.

Called by :mod:`training.corpus.readers.folders`.

Source: git's own documentation, gitignore; patterns match as in git's wildmatch.
"""

import codecs
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import read_bounded
from training.foundation.work_trees import find_common_folder, find_git_folder, find_work_tree

IGNORE_FILE = ".gitignore"
MAX_IGNORE_BYTES = 128 << 10
_ANY_FOLDERS = re.compile(r"\*{2,}")
_CLASSES = {
    "alnum": r"0-9A-Za-z",
    "alpha": r"A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": r"0-9",
    "graph": r"\x21-\x7e",
    "lower": r"a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": r"A-Z",
    "xdigit": r"0-9A-Fa-f",
}

Segment = re.Pattern[str] | None  # of a pattern between slashes; None for "**"


@dataclass(frozen=True, kw_only=True)
class IgnoreRule:
    """One line of a ``.gitignore``.

    Attributes:
        segments: What the names of a path must match, in order.
        is_anchored: Whether the whole path must match, instead of its last name.
        is_exception: Whether what matches is kept.
        is_for_folders: Whether it applies to folders alone.
    """

    segments: tuple[Segment, ...]
    is_anchored: bool
    is_exception: bool
    is_for_folders: bool

    def matches(self, names: Sequence[str], *, is_folder: bool) -> bool:
        """Returns whether it applies to a path, given by its names from the rule's folder on.

        Pattern and names have one character for each byte.
        """
        if self.is_for_folders and not is_folder:
            return False
        return _match_names(self.segments, names if self.is_anchored else names[-1:])


class IgnoreRules:
    """The ``.gitignore`` files of a folder tree; each applies to the paths below it.

    Those of the work tree above the folder count as well, and its ``.git/info/exclude``, unless
    they ignore the folder itself: whoever names it wants what it holds.

    Raises:
        CorpusError: One of them cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self._named = root
        self._root = Path(os.path.realpath(root))
        self._top = find_work_tree(self._root) or self._root
        self._rules: dict[Path, tuple[tuple[Path, list[IgnoreRule]], ...]] = {}
        inner = self._top
        for name in self._root.relative_to(self._top).parts:
            inner /= name
            if self._find_verdict(inner, is_folder=True):
                self._top = self._root
                self._rules.clear()
                return

    def ignores(self, path: Path, *, is_folder: bool) -> bool:
        """Returns whether the nearest rule that matches a path ignores it.

        Args:
            path: Of the tree, beginning with its root as it was given.
            is_folder: Whether it is a folder.

        Raises:
            CorpusError: A ``.gitignore`` cannot be read.
        """
        inside = path.relative_to(self._named)
        return self._find_verdict(self._root / inside, is_folder=is_folder)

    def _find_verdict(self, path: Path, *, is_folder: bool) -> bool:
        for folder, rules in self._load(path.parent):
            names = _encode_names(path.relative_to(folder))
            for rule in reversed(rules):
                if rule.matches(names, is_folder=is_folder):
                    return not rule.is_exception
        return False

    def _load(self, folder: Path) -> tuple[tuple[Path, list[IgnoreRule]], ...]:
        """Returns the rules of a folder and of those above it, nearest first.

        Each folder is asked about before those below it, so that a tree may be of any depth.
        """
        if folder not in self._rules:
            is_top = folder in {self._top, folder.parent}
            above = () if is_top else self._load(folder.parent)
            own = [*_read_excluded(folder), *_read_rules(folder / IGNORE_FILE)]
            self._rules[folder] = ((folder, own), *above) if own else above
        return self._rules[folder]


def parse_rules(data: bytes) -> list[IgnoreRule]:
    """Parses a ``.gitignore``; lines that no path can match are left out."""
    lines = data.removeprefix(codecs.BOM_UTF8).decode("latin-1").split("\n")
    return [rule for line in lines if (rule := _parse_rule(line.removesuffix("\r"))) is not None]


def _read_excluded(folder: Path) -> list[IgnoreRule]:
    """Returns the rules that a work tree keeps to itself; none of a folder below its top."""
    if not os.path.lexists(folder / ".git"):  # false also where a path is too long
        return []
    try:
        shared = find_common_folder(find_git_folder(folder))
    except (OSError, ForeignDataError):  # git finds no repository here either
        return []
    return _read_rules(shared / "info" / "exclude")


def _read_rules(file: Path) -> list[IgnoreRule]:
    try:
        is_there = file.is_file() and not file.is_symlink()  # git follows no such link either
    except OSError:  # the path is too long
        return []
    if not is_there:
        return []
    try:
        data = read_bounded(file, MAX_IGNORE_BYTES)
    except (OSError, ForeignDataError) as error:
        raise CorpusError(
            f"{file} cannot be used ({error}), so it is unknown what to leave out; correct it"
        ) from error
    return parse_rules(data)


def _encode_names(path: Path) -> tuple[str, ...]:
    """Returns the names of a path with one character for each byte: git compares bytes."""
    return tuple(os.fsencode(name).decode("latin-1") for name in path.parts)


def _parse_rule(line: str) -> IgnoreRule | None:
    line = _strip_blanks(line)
    if line.startswith("#"):
        return None
    is_exception = line.startswith("!")
    line = line.removeprefix("!")
    is_for_folders = line.endswith("/")
    line = line.removesuffix("/")
    is_anchored = "/" in line
    parts = line.removeprefix("/").split("/")
    if "" in parts:
        return None
    segments: list[Segment] = []
    for part in parts:
        if is_anchored and _ANY_FOLDERS.fullmatch(part):
            segments.append(None)
            continue
        segment = compile_segment(part)
        if segment is None:
            return None
        segments.append(segment)
    if segments[-1] is None:  # at least one name
        segments[-1:] = [_ANY_NAME, None]
    return IgnoreRule(
        segments=tuple(segments),
        is_anchored=is_anchored,
        is_exception=is_exception,
        is_for_folders=is_for_folders,
    )


def _strip_blanks(line: str) -> str:
    """Removes trailing blanks, except one behind a backslash."""
    stripped = line.rstrip(" ")
    n_backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if n_backslashes % 2 and stripped != line else stripped


def compile_segment(glob: str) -> re.Pattern[str] | None:
    """Compiles a pattern without slashes; None if no name can match it.

    What stands between two stars is looked for once, at its first place: an atomic group, so that
    many stars do not multiply their places.
    """
    pieces = [""]
    at = 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if char == "*":
            pieces.append("")
            continue
        if char == "[":
            expression, at = _compile_brackets(glob, at)
            if expression is None:
                return None
        elif char == "\\":
            if at == len(glob):
                return None
            expression, at = re.escape(glob[at]), at + 1
        else:
            expression = "." if char == "?" else re.escape(char)
        pieces[-1] += expression
    if len(pieces) == 1:
        return re.compile(pieces[0], re.DOTALL)
    first, *middle, last = pieces
    found = "".join(f"(?>.*?{piece})" for piece in middle if piece)
    return re.compile(f"{first}{found}.*{last}", re.DOTALL)


_ANY_NAME = re.compile(".*", re.DOTALL)


def _compile_brackets(glob: str, at: int) -> tuple[str | None, int]:
    """Compiles a set of characters whose "[" was read; None if it has no end."""
    is_negated = glob[at : at + 1] in {"!", "^"}
    at += is_negated
    items: list[str] = []
    start = at
    while at < len(glob) and (glob[at] != "]" or at == start):
        named = re.compile(r"\[:(\w*):\]").match(glob, at)
        if named:
            if named[1] not in _CLASSES:
                return None, at
            items.append(_CLASSES[named[1]])
            at = named.end()
            continue
        low, at = _read_char(glob, at)
        high = low
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in {"", "]"}:
            high, at = _read_char(glob, at + 1)
        items.append(re.escape(low))  # counts even if the range is empty
        if low <= high:
            items.append(f"{re.escape(low)}-{re.escape(high)}")
    if at >= len(glob):
        return None, at
    inside = "".join(items)
    if not inside:
        return ("." if is_negated else "(?!)"), at + 1
    return f"[{'^' if is_negated else ''}{inside}]", at + 1


def _read_char(glob: str, at: int) -> tuple[str, int]:
    is_escaped = glob[at] == "\\" and at + 1 < len(glob)
    return glob[at + is_escaped], at + is_escaped + 1


def _match_names(segments: Sequence[Segment], names: Sequence[str]) -> bool:
    """Matches names in order; what is between two "**" is looked for once, at its first place."""
    if sum(segment is not None for segment in segments) > len(names):
        return False
    at = place = 0
    star, mark = -1, 0
    while at < len(names):
        segment = segments[place] if place < len(segments) else _NOTHING
        if segment is None:
            star, mark = place, at
            place += 1
        elif segment.fullmatch(names[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            mark += 1
            at, place = mark, star + 1
        else:
            return False
    return all(segment is None for segment in segments[place:])


_NOTHING = re.compile("(?!)")
