"""The optional dependencies of a command: are they installed, and if not, how to get them.

A command calls :func:`require_extra` before it imports what an extra brings, so that a missing
package ends in one sentence. What belongs to an extra stands in pyproject.toml alone and is read
from the metadata of the installed distribution.
"""

import json
import os
import re
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from training.foundation.errors import PrerequisiteError

DISTRIBUTION = "parrotlet"
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*;.*\bextra == ['\"]([\w-]+)['\"]")
_NAMED = 3  # packages that a message names before it counts the rest


def require_extra(extra: str) -> None:
    """Ends the program with one sentence unless the packages of an extra are installed.

    Raises:
        SystemExit: A package is missing; the exit code is that of a missing prerequisite.
    """
    try:
        check_extra(extra)
    except PrerequisiteError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from error


def check_extra(extra: str) -> None:
    """Does the same for callers that report errors themselves.

    Raises:
        PrerequisiteError: A package of the extra is missing.
    """
    try:
        parrotlet = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return  # a checkout on the path, not installed: imports speak for themselves
    missing = [name for name in requirements(parrotlet, extra) if not _is_installed(name)]
    if not missing:
        return
    named = ", ".join(missing[:_NAMED])
    if len(missing) > _NAMED:
        named += f" and {len(missing) - _NAMED} more"
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

    It repeats how the distribution was installed, which PEP 610 records.
    """
    python = shlex.quote(_python())
    record = json.loads(parrotlet.read_text("direct_url.json") or "{}")
    url = urlsplit(str(record.get("url", "")))
    path = Path(url2pathname(url.path)) if url.scheme == "file" else None
    if path is None or not path.exists():
        return f"{python} -m pip install {shlex.quote(f'{DISTRIBUTION}[{extra}]')}"
    wanted = shlex.quote(f"{path}[{extra}]")
    if not path.is_dir():
        return f"{python} -m pip install {wanted}"
    pins = shlex.quote(str(path / "constraints.txt"))
    return f"{python} -m pip install -c {pins} -e {wanted}"


def _python() -> str:
    """Returns this interpreter as a user types it: relative where it is below this folder."""
    here = os.path.relpath(sys.executable)
    return here if not here.startswith(os.pardir) else sys.executable


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
