"""Infilling: ``python -m evaluation.infill --model DIR --corpus FOLDER``.

Removes a span of text from held-out documents (or takes those of ``--items``), lets the model fill
the gap until it stops by itself, and prints exact match, edit similarity and syntax validity with
intervals: of lines, of blocks, and of spans as in training. Nothing is trimmed or discarded, unlike
in ``evaluation.lines``.
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
from training.foundation.errors import run_main

_PURPOSE = """\
Measure infilling: remove a span from held-out files, let the model fill the gap until
it stops by itself, and compare with the file. Kinds: the rest of a line (mid), a whole
line (start), a block, and a span of up to 200 characters as in training.

Prints exact match, edit similarity and syntax validity with confidence intervals,
and writes summary.json and report.html."""
KINDS: tuple[Kind, ...] = ("mid", "start", "block", "span")
MAX_NEW_TOKENS = 192


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints the metrics."""
    return measure(argv, name="infill", purpose=_PURPOSE, kinds=KINDS, answer=answer)


def answer(completer: Completer, item: Item) -> Answer:
    """Has the model fill the gap of an item, greedily."""
    (text,) = completer.generate(
        item.prefix,
        item.suffix,
        n=1,
        max_new_tokens=MAX_NEW_TOKENS,
        temperature=0.0,
        top_p=1.0,
        seed=0,
    )
    return Answer(item=item, text=text)


if __name__ == "__main__":
    sys.exit(run_main(main))
