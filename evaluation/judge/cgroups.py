"""A control group for each sandbox, so that the kernel bounds the memory of all that runs in it.

Version 2 where its memory controller is delegated to this user, else version 1 where this user may
write it; where neither, the supervisor's look at its processes (``inside.processes.process_usage``)
is all there is, and results say so. Of what is in a group the kernel kills programs first, since
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

WATCHED = "polling"  # how memory is bounded without a group
_PREFIX = "parrotlet-"
_OWN_BYTES = 128 * MIB  # of the sandbox's own processes, and what the kernel counts beside
_REMOVAL_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """A group that may be given groups below it, and what the files there are called."""

    parent: Path
    kind: str
    limit_file: str
    swap_file: str
    swap_limit: str | None  # None: that of memory, which is then of both together
    events_file: str


class MemoryGroup:
    """One sandbox's group."""

    def __init__(self, hierarchy: Hierarchy, name: str, limit_bytes: int) -> None:
        self._folder = hierarchy.parent / name
        self._folder.mkdir()
        self._events = self._folder / hierarchy.events_file
        self._n_seen = 0
        limit = str(limit_bytes + _OWN_BYTES)
        try:
            (self._folder / hierarchy.limit_file).write_text(limit, encoding="ascii")
        except OSError:
            self._folder.rmdir()
            raise
        swap = self._folder / hierarchy.swap_file
        if swap.exists():  # not where swap is not accounted
            swap.write_text(hierarchy.swap_limit or limit, encoding="ascii")

    def joining_words(self) -> list[str]:
        """Returns what to put before a command, so that it runs in the group."""
        procs = str(self._folder / "cgroup.procs")
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', procs]

    def has_killed(self) -> bool:
        """Says whether the kernel has killed a process here since the last time this was asked."""
        try:
            words = self._events.read_text(encoding="ascii").split()
            n_killed = int(words[words.index("oom_kill") + 1])
        except (OSError, ValueError, IndexError):
            return False
        before, self._n_seen = self._n_seen, n_killed
        return n_killed > before

    def close(self) -> None:
        """Removes the group once its processes, killed before, are gone."""
        end = time.monotonic() + _REMOVAL_S
        while time.monotonic() < end:
            try:
                self._folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)


def memory_group(slot: int, limit_bytes: int) -> MemoryGroup | None:
    """Returns a new group, or None where there can be none."""
    hierarchy = usable_hierarchy()
    if hierarchy is None:
        return None
    name = f"{_PREFIX}{os.getpid()}-{slot}-{time.monotonic_ns()}"
    return MemoryGroup(hierarchy, name, limit_bytes)


def bounded_by() -> str:
    """Returns what bounds the memory of a program's processes here, for the record."""
    hierarchy = usable_hierarchy()
    return WATCHED if hierarchy is None else hierarchy.kind


@functools.cache
def usable_hierarchy() -> Hierarchy | None:
    """Returns the first hierarchy in which a process really can be put into a new group."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return None
    for hierarchy in [*_second(mounts, groups), *_first(mounts, groups)]:
        if _works(hierarchy):
            _sweep(hierarchy.parent)
            return hierarchy
    return None


def _works(hierarchy: Hierarchy) -> bool:
    try:
        group = MemoryGroup(hierarchy, f"{_PREFIX}{os.getpid()}-probe", MIB)
    except OSError:
        return False
    words = [*group.joining_words(), "/bin/true"]
    done = subprocess.run(words, check=False, capture_output=True)  # noqa: S603 - our own words
    group.close()
    return done.returncode == 0


def _sweep(parent: Path) -> None:
    """Removes the groups of runs that were killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            try:
                folder.rmdir()
            except OSError:  # somebody else's, or not empty
                continue


def _second(mounts: list[str], groups: list[str]) -> list[Hierarchy]:
    """Returns candidates of version 2: the own group, and the one above it."""
    own = _own_group(mounts, groups, kind="cgroup2", controller="")
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


def _first(mounts: list[str], groups: list[str]) -> list[Hierarchy]:
    own = _own_group(mounts, groups, kind="cgroup", controller="memory")
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
    """Says whether groups below have the memory controller, asking for it if need be."""
    control = parent / "cgroup.subtree_control"
    try:
        if "memory" not in control.read_text(encoding="ascii").split():
            control.write_text("+memory", encoding="ascii")
        return "memory" in control.read_text(encoding="ascii").split()
    except OSError:
        return False


def _own_group(mounts: list[str], groups: list[str], *, kind: str, controller: str) -> Path | None:
    """Returns the folder of this process' group in a hierarchy; see proc_pid_mountinfo(5)."""
    named = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in groups}
    path = next((path for names, path in named.items() if controller in names.split(",")), None)
    for line in mounts:
        place, _, source = line.partition(" - ")
        words, (found, _, options) = place.split(), source.split()[:3]
        if found == kind and path is not None and controller in ("", *options.split(",")):
            root, point = words[3], words[4]
            inside = PurePosixPath(path)
            if inside.is_relative_to(root):
                inside = inside.relative_to(root)
            folder = Path(point, str(inside).lstrip("/"))
            return folder if folder.is_dir() else None
    return None
