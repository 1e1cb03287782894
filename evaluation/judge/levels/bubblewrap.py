"""Isolation level 1: the command that starts a supervisor inside bubblewrap."""

import os
import shutil
from collections.abc import Sequence

from evaluation.judge.environment import make_environment, make_plan
from evaluation.judge.inside.plan import NAMESPACES, Plan
from evaluation.judge.levels.rootfs import (
    FIRST_UID,
    HOSTNAME,
    ROOT,
    RootFS,
    build_supervisor_command,
    describe_rootfs,
)
from evaluation.judge.verdict import Limits
from training.foundation.errors import SandboxUnavailableError

NAME = "bubblewrap"


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


def build_command(number: int, limits: Limits, folder: str) -> list[str]:  # noqa: ARG001 - a level's
    """Returns the command line of a sandbox; see :class:`IsolationLevel`."""
    is_root = os.getuid() == 0
    words = [find_bubblewrap(), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", HOSTNAME]
    words += [] if is_root else ["--unshare-user"]
    rootfs = describe_rootfs()
    plan = make_plan(number, limits, isolation=NAMESPACES, covered=rootfs.covered)
    words += [*_build_rootfs_options(rootfs, plan.devices), *_build_environment_options(plan)]
    words += ["--chdir", "/"]
    if is_root:
        user = str(FIRST_UID + number)
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--", "/usr/bin/setpriv"]
        words += ["--reuid", user, "--regid", user, "--clear-groups"]
        words += ["--bounding-set", "-all", "--inh-caps", "-all"]
    else:
        words.append("--")
    return [*words, *build_supervisor_command(ROOT)]


def _build_rootfs_options(rootfs: RootFS, devices: Sequence[str]) -> list[str]:
    words = ["--tmpfs", "/"]
    for folder in rootfs.folders:
        words += ["--perms", "0755", "--dir", folder]
    for source, target in rootfs.binds:
        words += ["--ro-bind", source, target]
    for folder in rootfs.hidden:
        words += ["--perms", "0555", "--tmpfs", folder, "--remount-ro", folder]
    words += ["--proc", "/proc"]
    for name in devices:
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for target, name in rootfs.links:
        words += ["--symlink", target, name]
    return [*words, "--remount-ro", "/"]


def _build_environment_options(plan: Plan) -> list[str]:
    variables = make_environment(plan).items()
    return [word for name, value in variables for word in ("--setenv", name, value)]
