"""Lines and blocks as users get them: ``python -m evaluation.lines --model DIR --corpus FOLDER``.

Asks the completer for completions at positions in held-out files (or those of ``--items``), and
prints exact match, edit similarity and syntax validity with intervals. Completions count whatever
their confidence; its calibration is reported too, since the server hides suggestions below a
threshold.
"""

import sys
from collections.abc import Sequence

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy.items import Item, Kind
from evaluation.accuracy.metrics import Answer
from evaluation.accuracy.run import measure
from server.completer import Completer
from server.suggestion.request import CompletionRequest
from training.foundation.errors import run_main

_PURPOSE = """\
Measure how often completions of lines and blocks match the file, as users see them:
at random positions in held-out files, the completer is asked for the rest of a line
(mid), a whole line (start) or a block, and its answer is compared with the file.

Prints exact match, edit similarity and syntax validity with confidence intervals,
and writes summary.json and report.html."""
KINDS: tuple[Kind, ...] = ("mid", "start", "block")


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints the metrics."""
    return measure(argv, name="lines", purpose=_PURPOSE, kinds=KINDS, answer=answer)


def answer(completer: Completer, item: Item) -> Answer:
    """Asks the completer at an item's position."""
    text, offset = item.prefix + item.suffix, len(item.prefix)
    request = CompletionRequest(text=text, offset=offset, is_asked_for=True)
    result = completer.complete(request)
    text = result.text.removesuffix(item.suffix[: result.covered])  # what it would write again
    if item.kind != "block":
        text = text.split("\n")[0]
    return Answer(
        item=item,
        text=text,
        confidence=result.confidence if text else None,
        log_prob=result.log_prob if text else None,
        reason=result.reason,
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
