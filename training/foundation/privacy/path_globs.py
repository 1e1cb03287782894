"""Patterns of paths: what each form of them means, and which mean nothing.

A pattern without a slash is a name, of a file or of any folder above it; one with slashes is a path
from the root or from any folder. Whatever a pattern matches, it matches all that is below, too.
``*`` and ``**`` stand for any characters, slashes included, ``**/`` for no folder as well, and
``{a,b}`` for either. Every pattern also means what ``fnmatch`` takes it for. Of the file system
only links in an absolute pattern are looked up, once.
"""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

MAX_FORMS = 256  # that one pattern may stand for
_MAX_CHARS = 4096
_MAX_SHOWN_CHARS = 80
_MAX_LISTS = 32  # of patterns, which are compiled and kept
_DOUBLE_STARS = re.compile(r"(?<![^/{,])(?:\*\*/)+")
_GROUP = re.compile(r"\{([^{}]*)\}")
_OPEN, _CLOSE = "\0(", "\0)"  # braces that stand for themselves
_IDLE_PARTS = re.compile(r"/(?:\./|/)+")  # that say nothing: a//b, a/./b
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_DRIVE = re.compile(r"[A-Za-z]:/")
_NEVER = "(?!)"  # in an expression: a set without characters, such as [z-a]


@dataclass(frozen=True)
class PathMatcher:
    """Compiled patterns.

    Attributes:
        names: Matches a part of a path; None if no pattern is a name.
        paths: Matches a whole path between slashes; None if every pattern is a name.
    """

    names: re.Pattern[str] | None
    paths: re.Pattern[str] | None

    def matches(self, path: str) -> bool:
        """Returns whether a pattern means a path, or a folder above it."""
        if self.paths is not None and self.paths.match(f"/{path}/"):
            return True
        names = self.names
        return names is not None and any(map(names.match, PurePosixPath(path).parts))


def compile_globs(globs: Sequence[str]) -> PathMatcher:
    """Returns what matches the paths that any of the patterns means."""
    return _compile(tuple(globs))


def find_glob_fault(globs: Sequence[str]) -> str | None:
    """Returns what is wrong with the first pattern that means no path, in one sentence."""
    for glob in globs:
        if fault := _find_fault(glob):
            shown = glob if len(glob) <= _MAX_SHOWN_CHARS else f"{glob[:_MAX_SHOWN_CHARS]}..."
            return f"the pattern {shown!r} {fault}"
    return None


@lru_cache(maxsize=_MAX_LISTS)
def _compile(globs: tuple[str, ...]) -> PathMatcher:
    names: dict[str, None] = {}
    paths: dict[str, None] = {}
    for glob in globs:
        for form in (glob, *_list_forms(glob)):
            if "/" in form:
                paths[f"*/{form.lstrip('/')}/*"] = None
            else:
                names[form] = None
    return PathMatcher(_join(names), _join(paths))


def _join(globs: dict[str, None]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(fnmatch.translate, globs))) if globs else None


def _find_fault(glob: str) -> str | None:
    text = glob.strip().replace("\\", "/")
    if not text.strip("./"):
        return "names no file or folder; name one, or remove it"
    if len(glob) > _MAX_CHARS or "\0" in glob:
        return f"is no path; use at most {_MAX_CHARS} characters and no null character"
    if text.startswith("!"):
        return "begins with '!', but no pattern makes a file public again; remove it"
    if _URI.match(text):
        return "is a URI; name the path alone"
    if ".." in text.split("/"):
        return "contains '..', which no path does; name the folder itself"
    forms = _expand_groups(text)
    if forms is None:
        return f"stands for over {MAX_FORMS} patterns; write it as several shorter ones"
    if any("{" in form.replace("[{]", "") for form in forms):
        return "has a '{' without its '}'; add that, or write '[{]' for the character"
    if text.startswith("~") and "/" in text and os.path.expanduser(text) == text:  # noqa: PTH111
        return "names the home folder of a user who is not known; name the folder's whole path"
    if all(_NEVER in fnmatch.translate(form) for form in forms):
        return "has a range of characters that is empty, such as '[z-a]'; turn it round"
    return None


def _list_forms(glob: str) -> Iterator[str]:
    """Yields the patterns that a pattern stands for; none if it cannot be read."""
    if _find_fault(glob) is not None:
        return
    for group in _expand_groups(glob.strip().replace("\\", "/")) or ():
        form = _expand_home(group.replace(_OPEN, "{").replace(_CLOSE, "}"))
        form = _IDLE_PARTS.sub("/", form)
        while form.startswith("./"):
            form = form[2:]
        form = form.removesuffix("/.").rstrip("/")
        if form in {"", "."}:
            continue
        if _DRIVE.match(form):  # editors write it in either case
            form = f"[{form[0].lower()}{form[0].upper()}]{form[1:]}"
        yield form
        yield from _follow_links(form)


def _expand_groups(text: str) -> list[str] | None:
    """Returns a text once for each choice from its braces; None if that would be too many.

    Without a comma, braces may also be part of a name, and are kept out of the way.
    """
    waiting, done = [_DOUBLE_STARS.sub("{**/,}", text)], []
    while waiting:
        form = waiting.pop()
        group = _GROUP.search(form)  # one without others inside
        if group is None:
            done.append(form)
            continue
        inside = group[1]
        choices = inside.split(",") if "," in inside else [inside, f"{_OPEN}{inside}{_CLOSE}"]
        if len(waiting) + len(done) + len(choices) > MAX_FORMS:
            return None
        waiting += [f"{form[: group.start()]}{one}{form[group.end() :]}" for one in choices]
    return done


def _expand_home(form: str) -> str:
    """Returns a pattern with the folder that ``~/`` or ``~name/`` means."""
    if not form.startswith("~") or "/" not in form:
        return form
    user, slash, rest = form.partition("/")
    home = os.path.expanduser(user)  # noqa: PTH111 - a user who is not known is no error
    return form if home == user else f"{_escape(home)}{slash}{rest}"


def _follow_links(form: str) -> Iterator[str]:
    """Yields an absolute pattern as it is with the links in it followed, if there are any."""
    parts = form.split("/")
    n_plain = next((n for n, part in enumerate(parts) if re.search(r"[*?[]", part)), len(parts))
    plain = "/".join(parts[:n_plain])
    if not plain or not Path(plain).is_absolute():
        return
    try:
        real = _escape(os.path.realpath(plain))
    except (OSError, ValueError):
        return
    if real != plain:
        yield "/".join([real.rstrip("/"), *parts[n_plain:]])


def _escape(folder: str) -> str:
    return re.sub(r"[*?[]", r"[\g<0>]", folder.replace("\\", "/") if os.sep == "\\" else folder)
