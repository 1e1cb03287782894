"""How many cores this process may use, and how many processes a launcher started beside it.

Of the machine's cores those count that a container leaves.

Source: the kernel's ``admin-guide/cgroup-v2.rst`` (``cpu.max``) and ``scheduler/sched-bwc.rst``
(``cpu.cfs_quota_us``).
"""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_MAX_CHARS = 1 << 16


def count_cores() -> int:
    """Returns the cores that this process may use, at least 1.

    They are limited by its affinity, and by the processor time that its control groups have.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
    quota = read_quota(_GROUPS, _OWN_GROUPS)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def count_local_processes(environment: Mapping[str, str]) -> int:
    """Returns how many processes a launcher has started on this machine."""
    return int(environment.get("LOCAL_WORLD_SIZE") or environment.get("WORLD_SIZE") or 1)


def read_quota(groups: Path, own_groups: Path) -> float | None:
    """Returns how many seconds of processor time there are in a second; None without a limit.

    Args:
        groups: Where control groups are mounted.
        own_groups: The file that names this process's groups.
    """
    quotas = [
        quota
        for folder in _list_groups(groups, _read(own_groups))
        if (quota := _read_group(folder)) is not None
    ]
    return min(quotas, default=None)


def _list_groups(groups: Path, own_groups: str) -> Iterator[Path]:
    """Yields the folders of this process's groups and of those that they are in."""
    for line in own_groups.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = groups / controllers if controllers else groups
        path = PurePosixPath("/", name).relative_to("/")
        if ".." in path.parts:  # a group outside this namespace
            path = PurePosixPath()
        for part in (path, *path.parents):
            yield top / part


def _read_group(folder: Path) -> float | None:
    """Returns a group's own quota in either version's files."""
    try:
        quota, period = _read(folder / "cpu.max").split()[:2]
        return int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # there is no such file, or it says "max"
        pass
    try:
        quota_us = int(_read(folder / "cpu.cfs_quota_us"))
        period_us = int(_read(folder / "cpu.cfs_period_us"))
    except ValueError:
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None


def _read(file: Path) -> str:
    try:
        with file.open(encoding="ascii", errors="replace") as opened:
            return opened.read(_MAX_CHARS)
    except OSError:
        return ""
