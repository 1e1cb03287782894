"""The indexing process: ``python -m server.indexing``, started by :mod:`server.worker.process`.

It reads one request from stdin and prints the folder of the index and the processor time that it
took. Where others are busy it gets a tenth of what each of them does: with less, a machine that is
never idle would never index.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from server.indexing.workspace_indexer import IndexRequest, index_workspace
from server.user_folders import find_cache_folder, is_home_or_above
from training.artifact.tokenizer import CodeTokenizer
from training.foundation.background.low_priority import LOW, yield_processor
from training.foundation.errors import PrerequisiteError, run_main


def main(_: Sequence[str]) -> int:
    """Indexes a workspace.

    Raises:
        PrerequisiteError: There is no place for an index.
        OSError: It cannot be written there.
    """
    yield_processor(LOW)
    values = json.load(sys.stdin)
    cache = find_cache_folder()
    if cache is None:
        raise PrerequisiteError(
            "the workspace is not indexed: there is no home folder, where the index would be kept;"
            " set HOME or XDG_CACHE_HOME"
        )
    request = IndexRequest(
        roots=[root for root in map(Path, values["roots"]) if not _leads_home(root)],
        private_globs=values["private_globs"],
        cache=cache / "workspaces",
    )
    tokenizer = CodeTokenizer.load(Path(values["tokenizer"]))
    folder = index_workspace(request, tokenizer)
    answer = {"folder": str(folder), "processor_s": round(time.process_time(), 3)}
    sys.stdout.write(json.dumps(answer))
    return 0


def _leads_home(root: Path) -> bool:
    """Returns whether a link leads to the home folder; the server only compares names."""
    return is_home_or_above(Path(os.path.realpath(root)))


if __name__ == "__main__":
    sys.exit(run_main(main))
