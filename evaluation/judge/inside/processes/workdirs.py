"""The working folders of programs that have no disk of their own: measured, bounded, removed.

With namespaces a program's disk is memory that is freed when it ends, so there is nothing to do.
"""

import os

from evaluation.judge.inside.plan import LANDLOCK, Plan

_BLOCK_BYTES = 512
_MAX_ENTRIES = 2048
_REMOVE = "/bin/rm"  # it copes with folders nested to any depth


class Workdirs:
    """The folders, numbered by fork."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def is_too_full(self, number: int) -> bool:
        """Returns whether a program has written more bytes, or more files, than it may."""
        if self._plan.isolation != LANDLOCK:
            return False
        n_entries, n_bytes = 0, 0
        folders = [f"{self._plan.folder}/{number}"]
        while folders and n_entries <= _MAX_ENTRIES:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        n_entries += 1
                        n_bytes += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
            except OSError:  # it is gone, or its path is too long: then there are many
                n_entries += 1
        return n_entries > _MAX_ENTRIES or n_bytes > self._plan.disk_bytes

    def remove(self, number: int) -> None:
        """Removes the folder of a program, which is dead."""
        if self._plan.isolation == LANDLOCK:
            command = [_REMOVE, "-rf", "--", f"{self._plan.folder}/{number}"]
            os.waitpid(os.posix_spawn(_REMOVE, command, {}), 0)
