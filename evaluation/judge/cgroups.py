"""A control group for each sandbox: the kernel bounds the memory of everything that runs in it.

Version 2 is used if its memory controller is delegated to this user, else version 1 if this user
may write to it. Otherwise only the supervisor's polling (``inside.processes.process_usage``) bounds
memory, and results say so. If a group runs out of memory, the kernel kills programs first, because
the zygote marks them for it.

Source: the kernel's ``admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``.
"""

import functools
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evaluation.judge.verdict import MIB

POLLING = "polling"  # how memory is bounded without a group
_PREFIX = "parrotlet-"
_OWN_BYTES = 128 * MIB  # for the sandbox's own processes, and kernel memory
_REMOVAL_TIMEOUT_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """A group in which groups can be created, and the names of the files in them."""

    parent: Path
    kind: str
    limit_file: str
    swap_file: str
    swap_limit: str | None  # None: the memory limit, since the file limits their sum
    events_file: str


class MemoryGroup:
    """One sandbox's group."""

    def __init__(self, hierarchy: Hierarchy, name: str, limit_bytes: int) -> None:
        self._folder = hierarchy.parent / name
        self._folder.mkdir()
        self._events = self._folder / hierarchy.events_file
        self._n_kills_seen = 0
        limit = str(limit_bytes + _OWN_BYTES)
        try:
            (self._folder / hierarchy.limit_file).write_text(limit, encoding="ascii")
        except OSError:
            self._folder.rmdir()
            raise
        swap = self._folder / hierarchy.swap_file
        if swap.exists():  # not where swap is not accounted
            swap.write_text(hierarchy.swap_limit or limit, encoding="ascii")

    def build_join_command(self) -> list[str]:
        """Returns what to put before a command, so that it runs in the group."""
        procs = str(self._folder / "cgroup.procs")
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', procs]

    def poll_oom_kill(self) -> bool:
        """Returns whether the kernel has killed a process here since the last call."""
        try:
            fields = self._events.read_text(encoding="ascii").split()
            n_kills = int(fields[fields.index("oom_kill") + 1])
        except (OSError, ValueError, IndexError):
            return False
        n_before, self._n_kills_seen = self._n_kills_seen, n_kills
        return n_kills > n_before

    def close(self) -> None:
        """Removes the group as soon as its processes, which are killed already, are gone."""
        deadline = time.monotonic() + _REMOVAL_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                self._folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)


def create_memory_group(number: int, limit_bytes: int) -> MemoryGroup | None:
    """Returns a new group for a sandbox, or None if this user can create none."""
    hierarchy = find_hierarchy()
    if hierarchy is None:
        return None
    return MemoryGroup(hierarchy, _make_name(str(number)), limit_bytes)


def describe_memory_bound() -> str:
    """Returns what bounds the memory of a program's processes here, to be recorded."""
    hierarchy = find_hierarchy()
    return POLLING if hierarchy is None else hierarchy.kind


@functools.cache
def find_hierarchy() -> Hierarchy | None:
    """Returns the first hierarchy in which a process can actually join a new group."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return None
    for hierarchy in [*_list_v2(mounts, groups), *_list_v1(mounts, groups)]:
        if _is_usable(hierarchy):
            _remove_stale(hierarchy.parent)
            return hierarchy
    return None


def _is_usable(hierarchy: Hierarchy) -> bool:
    try:
        group = MemoryGroup(hierarchy, _make_name("probe"), MIB)
    except OSError:
        return False
    command = [*group.build_join_command(), "/bin/true"]
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - our own
    group.close()
    return done.returncode == 0


def _make_name(purpose: str) -> str:
    """Returns the name of a new group: one of a former process with this id may be left."""
    return f"{_PREFIX}{os.getpid()}-{purpose}-{time.monotonic_ns()}"


def _remove_stale(parent: Path) -> None:
    """Removes the groups that killed runs have left behind."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            try:
                folder.rmdir()
            except OSError:  # somebody else's, or not empty
                continue


def _list_v2(mounts: list[str], groups: list[str]) -> list[Hierarchy]:
    """Returns the candidates of version 2: this process's group, and its parent."""
    own = _find_own_group(mounts, groups, kind="cgroup2", controller="")
    if own is None:
        return []
    return [
        Hierarchy(
            parent=parent,
            kind="cgroup v2",
            limit_file="memory.max",
            swap_file="memory.swap.max",
            swap_limit="0",
            events_file="memory.events",
        )
        for parent in (own, own.parent)
        if _delegates_memory(parent)
    ]


def _list_v1(mounts: list[str], groups: list[str]) -> list[Hierarchy]:
    own = _find_own_group(mounts, groups, kind="cgroup", controller="memory")
    if own is None:
        return []
    return [
        Hierarchy(
            parent=own,
            kind="cgroup v1",
            limit_file="memory.limit_in_bytes",
            swap_file="memory.memsw.limit_in_bytes",
            swap_limit=None,
            events_file="memory.oom_control",
        )
    ]


def _delegates_memory(parent: Path) -> bool:
    """Returns whether child groups have the memory controller, enabling it if need be."""
    control = parent / "cgroup.subtree_control"
    try:
        if "memory" not in control.read_text(encoding="ascii").split():
            control.write_text("+memory", encoding="ascii")
        return "memory" in control.read_text(encoding="ascii").split()
    except OSError:
        return False


def _find_own_group(
    mounts: list[str], groups: list[str], *, kind: str, controller: str
) -> Path | None:
    """Returns the folder of this process's group in a hierarchy; see proc_pid_mountinfo(5)."""
    paths = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in groups}
    path = next((path for names, path in paths.items() if controller in names.split(",")), None)
    for line in mounts:
        mount, _, source = line.partition(" - ")
        fields, (mount_kind, _, options) = mount.split(), source.split()[:3]
        if mount_kind == kind and path is not None and controller in ("", *options.split(",")):
            root, mount_point = fields[3], fields[4]
            inside = PurePosixPath(path)
            if inside.is_relative_to(root):
                inside = inside.relative_to(root)
            folder = Path(mount_point, str(inside).lstrip("/"))
            return folder if folder.is_dir() else None
    return None
