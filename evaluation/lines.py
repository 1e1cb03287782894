"""Lines and blocks as users get them: ``python -m evaluation.lines --model DIR --corpus FOLDER``.

Asks the completer for what stands at places in held-out files (or those of ``--items``), and prints
exact match, edit similarity and syntax validity with intervals. Whatever the model writes counts;
how well its confidence tells when a line is right is said too, since the server stays silent where
that is too low.
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
from server.request import CompletionRequest
from training.artifact.errors import run_main

KINDS: tuple[Kind, ...] = ("mid", "start", "block")


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints its figures."""
    return measure(argv, name="lines", about=str(__doc__), kinds=KINDS, answer=answer)


def answer(completer: Completer, item: Item) -> Answer:
    """Asks the completer at an item's place."""
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
