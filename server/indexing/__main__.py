"""The indexing process: ``python -m server.indexing``, started by :mod:`server.worker.process`.

It reads one request from stdin and prints the folder of the index. It takes only what the processor
has left over.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import psutil

from server.indexing.workspace_indexer import IndexRequest, index_workspace
from server.user_folders import find_cache_folder
from training.artifact.tokenizer import CodeTokenizer

_LOWEST = 19


def main() -> int:
    """Indexes a workspace; exits with 1 if that is not possible here."""
    _yield_processor()
    values = json.load(sys.stdin)
    cache = find_cache_folder()
    if cache is None:
        return 1
    request = IndexRequest(
        roots=[Path(root) for root in values["roots"]],
        private_globs=values["private_globs"],
        cache=cache / "workspaces",
    )
    tokenizer = CodeTokenizer.load(Path(values["tokenizer"]))
    sys.stdout.write(json.dumps(str(index_workspace(request, tokenizer))))
    return 0


def _yield_processor() -> None:
    """Lets every other process go first."""
    process = psutil.Process()
    idle = getattr(psutil, "IDLE_PRIORITY_CLASS", None)  # on Windows
    process.nice(_LOWEST if idle is None else idle)
    if not hasattr(os, "getsid") or os.getsid(0) != os.getpid():
        return  # the session's other processes, the editor perhaps, would be slowed down too
    with contextlib.suppress(OSError):  # not Linux, or without such groups
        Path("/proc/self/autogroup").write_text(str(_LOWEST), encoding="ascii")


if __name__ == "__main__":
    sys.exit(main())
