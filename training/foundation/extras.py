"""Whether a command's optional dependencies are installed, and if not, how to install them.

A command calls :func:`require_extra` before it imports an optional package, so that a missing one
is reported in one sentence. Only pyproject.toml lists the packages of an extra; they are read from
the metadata of the installed distribution.
"""

import os
import re
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from training.foundation.errors import PrerequisiteError
from training.foundation.foreign_text import parse_json

DISTRIBUTION = "parrotlet"
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*;.*\bextra == ['\"]([\w-]+)['\"]")
_MAX_NAMED = 3  # packages that a message names; the others are counted


def require_extra(extra: str) -> None:
    """Exits with one sentence unless the packages of an extra are installed.

    Raises:
        SystemExit: A package is missing; the exit code is that of ``PrerequisiteError``.
    """
    try:
        check_extra(extra)
    except PrerequisiteError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from error


def check_extra(extra: str) -> None:
    """Does the same as :func:`require_extra`, for callers that report errors themselves.

    Raises:
        PrerequisiteError: A package of the extra is missing.
    """
    try:
        parrotlet = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return  # a checkout that is not installed: let the imports fail
    missing = [name for name in requirements(parrotlet, extra) if not _is_installed(name)]
    if not missing:
        return
    named = ", ".join(missing[:_MAX_NAMED])
    if len(missing) > _MAX_NAMED:
        named += f" and {len(missing) - _MAX_NAMED} more"
    raise PrerequisiteError(
        f"this command needs the '{extra}' packages, of which {named}"
        f" {'are' if len(missing) > 1 else 'is'} not installed; run:"
        f" {install_command(parrotlet, extra)}"
    )


def requirements(parrotlet: Distribution, extra: str) -> list[str]:
    """Returns the names of the packages that an extra adds."""
    found = (_REQUIREMENT.match(line) for line in parrotlet.requires or ())
    return [match[1] for match in found if match and match[2] == extra]


def install_command(parrotlet: Distribution, extra: str) -> str:
    """Returns the shell command that adds an extra to this environment.

    It repeats the way in which the distribution was installed (PEP 610).
    """
    python = quote_word(_python())
    record = parse_json(parrotlet.read_text("direct_url.json") or "{}")
    url = urlsplit(str(record.get("url", "")))
    path = Path(url2pathname(url.path)) if url.scheme == "file" else None
    if path is None or not path.exists():
        return f"{python} -m pip install {quote_word(f'{DISTRIBUTION}[{extra}]')}"
    requirement = quote_word(f"{path}[{extra}]")
    if not path.is_dir():
        return f"{python} -m pip install {requirement}"
    pins = quote_word(str(path / "constraints.txt"))
    return f"{python} -m pip install -c {pins} -e {requirement}"


def quote_word(word: str) -> str:
    """Returns a word as a user types it in a shell: in quotes, if it needs them."""
    if os.name == "nt":
        return f'"{word}"' if " " in word else word
    return shlex.quote(word)


def _python() -> str:
    """Returns this interpreter as a user would type it.

    It is relative if it is below the folder of the terminal that we run in. An editor starts us in
    a folder that is not its user's.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return sys.executable
    try:
        here = os.path.relpath(sys.executable)
    except (OSError, ValueError):  # the folder is gone, or on another drive
        return sys.executable
    return sys.executable if here.startswith(os.pardir) else here


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
