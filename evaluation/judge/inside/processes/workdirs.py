"""The folders of programs that have no disk of their own: bounded by looking, and cleared.

With namespaces a program's disk is memory that ends with it; then there is nothing to do here.
"""

import os

from evaluation.judge.inside.plan import LANDLOCK, Plan

_BLOCK_BYTES = 512
_MAX_ENTRIES = 2048
_REMOVE = "/bin/rm"  # it bears folders of any depth


class Rooms:
    """Folders numbered by fork."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def is_too_full(self, number: int) -> bool:
        """Says whether a program has written more, or more files, than any may."""
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

    def clear(self, number: int) -> None:
        """Removes a program's folder; the program is dead."""
        if self._plan.isolation == LANDLOCK:
            words = [_REMOVE, "-rf", "--", f"{self._plan.folder}/{number}"]
            os.waitpid(os.posix_spawn(_REMOVE, words, {}), 0)
