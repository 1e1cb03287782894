"""The memory allocator: tcmalloc makes training on a CPU faster.

glibc returns large blocks to the system and requests them again at every step; tcmalloc keeps most
of them, and all if it is configured to. It must be loaded when a process starts, so a training
process without it restarts itself if the machine has it. It is never required.
"""

import os
import sys
from pathlib import Path

from training.processes.hints import print_hint

LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
PATTERNS = ("libtcmalloc_minimal.so*", "*/libtcmalloc_minimal.so*", "libtcmalloc.so*")
KEEPING = ("TCMALLOC_RELEASE_RATE", "0")  # training allocates the same memory again at every step
TRIED = "PARROTLET_TCMALLOC_TRIED"  # set before the restart, so that there is only one


def find_tcmalloc() -> str | None:
    """Returns the path of the shared library, or None if there is none."""
    for folder in LIBRARY_FOLDERS:
        for pattern in PATTERNS:
            for path in sorted(Path(folder).glob(pattern)):
                return str(path)
    return None


def is_tcmalloc_loaded() -> bool:
    """Says whether this process has loaded tcmalloc."""
    try:
        return "libtcmalloc" in Path("/proc/self/maps").read_text(encoding="utf-8")
    except OSError:
        return False


def restart_with_tcmalloc() -> None:
    """Restarts this process with tcmalloc preloaded, if it is not loaded yet.

    If the machine has no tcmalloc, prints a hint on stderr. Does nothing outside Linux.
    """
    if sys.platform != "linux" or is_tcmalloc_loaded() or os.environ.get(TRIED):
        return
    library = find_tcmalloc()
    if library is None:
        print_hint(
            "tcmalloc makes training on a CPU about an eighth faster; on Debian and Ubuntu:"
            " apt install libtcmalloc-minimal4"
        )
        return
    before = os.environ.get("LD_PRELOAD")
    os.environ["LD_PRELOAD"] = f"{library}:{before}" if before else library
    os.environ.setdefault(*KEEPING)
    os.environ[TRIED] = "1"
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this very command again
