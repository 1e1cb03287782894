"""Lines and blocks as users get them: ``python -m evaluation.lines --model DIR --corpus FOLDER``.

Asks the completer for what stands at places in held-out files (or those of ``--items``), and prints
exact match, edit similarity and syntax validity with intervals. It says too how well the model's
confidence tells when it is right: the server stays silent where that is too low.
"""

import sys
from collections.abc import Sequence

from evaluation.accuracy import Answer, confidence_of
from evaluation.accuracy_run import measure
from evaluation.items import Item, Kind
from server.completer import Completer, CompletionRequest
from training.artifact.errors import run_main

KINDS: tuple[Kind, ...] = ("mid", "start", "block")


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints its figures."""
    return measure(argv, name="lines", about=str(__doc__), kinds=KINDS, answer=answer)


def answer(completer: Completer, item: Item) -> Answer:
    """Asks the completer at an item's place."""
    request = CompletionRequest(text=item.prefix + item.suffix, offset=len(item.prefix))
    result = completer.complete(request)
    text = result.text.removesuffix(item.suffix[: result.covered])  # what it would write again
    if item.kind != "block":
        text = text.split("\n")[0]
    return Answer(
        item=item,
        text=text,
        confidence=confidence_of(result.log_probs) if text else None,
        reason=result.reason,
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
