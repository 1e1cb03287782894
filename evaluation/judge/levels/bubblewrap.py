"""Isolation level 1: the command that starts a supervisor inside bubblewrap."""

import os
import shutil

from evaluation.judge.environment import environment, plan_for
from evaluation.judge.inside.plan import DEVICES, NAMESPACES
from evaluation.judge.levels.rootfs import (
    FIRST_UID,
    HOSTNAME,
    ROOT,
    layout,
    supervisor_words,
)
from evaluation.judge.verdict import Limits
from training.foundation.errors import SandboxUnavailableError

LEVEL = "bubblewrap"


def find_bubblewrap() -> str:
    """Returns bubblewrap's path.

    Raises:
        SandboxUnavailableError: It is not installed.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxUnavailableError(
            "bubblewrap is not installed; run: apt-get install bubblewrap"
        )
    return path


def command(slot: int, limits: Limits, folder: str) -> list[str]:  # noqa: ARG001 - a level's
    """Returns the command line of one slot's processes, see :class:`Isolation`."""
    is_root = os.getuid() == 0
    words = [find_bubblewrap(), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", HOSTNAME]
    words += [] if is_root else ["--unshare-user"]
    words += [*_file_system(), *_environment(slot, limits), "--chdir", "/"]
    if is_root:
        user = str(FIRST_UID + slot)
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--", "/usr/bin/setpriv"]
        words += ["--reuid", user, "--regid", user, "--clear-groups"]
        words += ["--bounding-set", "-all", "--inh-caps", "-all"]
    else:
        words.append("--")
    return [*words, *supervisor_words(ROOT)]


def _file_system() -> list[str]:
    plan = layout()
    words = ["--tmpfs", "/"]
    for folder in plan.folders:
        words += ["--perms", "0755", "--dir", folder]
    for source, target in plan.binds:
        words += ["--ro-bind", source, target]
    words += ["--proc", "/proc"]
    for name in DEVICES:
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for target, name in plan.links:
        words += ["--symlink", target, name]
    return [*words, "--remount-ro", "/"]


def _environment(slot: int, limits: Limits) -> list[str]:
    told = plan_for(slot, limits, isolation=NAMESPACES)
    values = environment(told)
    return [word for name, value in values.items() for word in ("--setenv", name, value)]
