"""The command that measures infilling: ``python -m evaluation.infill``.

Unlike ``evaluation.lines``, it applies none of the server's rules to the model's text.
"""

import sys
from collections.abc import Sequence

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy.item_completion import infill_gap
from evaluation.accuracy.run import AccuracyTask, run_accuracy
from training.foundation.errors import run_main

_PURPOSE = """\
Measure infilling: remove a span from held-out files, let the model fill the gap until
it stops by itself, and compare with the file. Kinds: the rest of a line (mid), a whole
line (start), a block, and a span of up to 200 characters as in training.

Prints exact match, edit similarity and syntax validity with confidence intervals,
and writes summary.json and report.html."""
_INFILL = AccuracyTask(
    name="infill",
    title="Infilling",
    purpose=_PURPOSE,
    kinds=("mid", "start", "block", "span"),
    complete=infill_gap,
    has_confidence=False,
    recorded_as="infill",
)


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints the metrics."""
    run_accuracy(argv, _INFILL)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
