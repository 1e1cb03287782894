"""Infilling: ``python -m evaluation.infill --model DIR --corpus FOLDER``.

Cuts a stretch of text out of held-out documents (or takes the places of ``--items``), has the model
fill the gap until it ends it by itself, and prints exact match, edit similarity and syntax validity
with intervals: of lines, of blocks, and of spans as infilling was trained with. Nothing is trimmed
or refused, unlike what ``evaluation.lines`` measures.
"""

import sys
from collections.abc import Sequence

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy import Answer
from evaluation.accuracy_run import measure
from evaluation.items import Item, Kind
from server.completer import Completer
from training.artifact.errors import run_main

KINDS: tuple[Kind, ...] = ("mid", "start", "block", "span")
MAX_NEW_TOKENS = 192


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints its figures."""
    return measure(argv, name="infill", about=str(__doc__), kinds=KINDS, answer=answer)


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
