"""Isolation level 1: the command that starts a zygote inside bubblewrap.

An empty root; the system's libraries and the interpreter read-only; of this project only the
modules that run inside; no network, no host processes, a clean environment.
"""

import os
import shutil
import sys
from pathlib import Path

from evaluation.judge import packages
from evaluation.judge.surroundings import environment
from evaluation.judge.verdict import Limits
from training.artifact.errors import SandboxUnavailableError

LEVEL = "bubblewrap"
_FIRST_UID = 700_000  # of slots when started as root: nobody's, so that process limits bind
_DEVICES = ("null", "zero", "urandom", "random", "full")
_PACKAGE = Path(__file__).parents[1]  # evaluation/
_INSIDE = ("__init__.py", "judge/__init__.py", "judge/inside")
_ROOT = "/judge"
_PACKAGES = f"{_ROOT}/packages"


def find_bubblewrap() -> str:
    """Returns bubblewrap's path.

    Raises:
        SandboxUnavailableError: It is not installed.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxUnavailableError(
            "the judge needs bubblewrap, which is not installed; run: apt-get install bubblewrap"
            " (or accept that programs can do anything you can, with --unsafe-no-sandbox)"
        )
    return path


def command(slot: int, limits: Limits) -> list[str]:
    """Returns the command line of one slot's zygote; its stdin must be the host's socket."""
    is_root = os.getuid() == 0
    words = [find_bubblewrap(), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "judge"]
    words += [] if is_root else ["--unshare-user"]
    words += [*_file_system(), *_environment(slot, limits), "--chdir", "/"]
    if is_root:
        user = str(_FIRST_UID + slot)
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--", "/usr/bin/setpriv"]
        words += ["--reuid", user, "--regid", user, "--clear-groups"]
        words += ["--bounding-set", "-all", "--inh-caps", "-all"]
    else:
        words.append("--")
    interpreter = os.path.realpath(sys.executable)
    return [*words, interpreter, "-B", "-s", "-S", "-m", "evaluation.judge.inside.zygote"]


def _file_system() -> list[str]:
    prefix = Path(sys.base_prefix).resolve()
    words = ["--tmpfs", "/"]
    if not prefix.is_relative_to("/usr"):
        for parent in reversed(prefix.parents[:-1]):
            words += ["--perms", "0755", "--dir", str(parent)]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib64", "bin"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    if not prefix.is_relative_to("/usr"):
        words += ["--ro-bind", str(prefix), str(prefix)]
    for folder in (_ROOT, f"{_ROOT}/evaluation", f"{_ROOT}/evaluation/judge"):
        words += ["--perms", "0755", "--dir", folder]
    for name in _INSIDE:
        words += ["--ro-bind", str(_PACKAGE / name), f"{_ROOT}/evaluation/{name}"]
    words += ["--perms", "0755", "--dir", _PACKAGES]
    for package in packages.folders():
        words += ["--ro-bind", str(package), f"{_PACKAGES}/{package.name}"]
    words += ["--proc", "/proc", "--dir", "/tmp", "--dir", "/dev"]  # noqa: S108 - inside
    for name in _DEVICES:
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    return [*words, "--symlink", "/tmp", "/dev/shm", "--remount-ro", "/"]  # noqa: S108


def _environment(slot: int, limits: Limits) -> list[str]:
    values = environment(slot, limits, python_path=f"{_ROOT}:{_PACKAGES}", is_isolated=True)
    return [word for name, value in values.items() for word in ("--setenv", name, value)]
