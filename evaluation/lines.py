"""The command that measures lines and blocks as users see them: ``python -m evaluation.lines``."""

import sys
from collections.abc import Sequence

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy.item_completion import complete_as_shown
from evaluation.accuracy.run import AccuracyTask, run_accuracy
from training.foundation.errors import run_main

_PURPOSE = """\
Measure how often completions of lines and blocks match the file, as users see them:
at random positions in held-out files, the completer is asked for the rest of a line
(mid), a whole line (start) or a block, and its answer is compared with the file.

Prints exact match, edit similarity and syntax validity with confidence intervals,
and writes summary.json and report.html."""
_LINES = AccuracyTask(
    name="lines",
    title="Line and block completion",
    purpose=_PURPOSE,
    kinds=("mid", "start", "block"),
    complete=complete_as_shown,
)


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints the metrics."""
    run_accuracy(argv, _LINES)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
