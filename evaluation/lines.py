"""Lines and blocks as users get them: ``python -m evaluation.lines --model DIR --corpus FOLDER``.

Asks the completer for what stands at places in held-out files (or those of ``--items``), and prints
exact match, edit similarity and syntax validity with intervals. It says too how well the model's
confidence tells when it is right: the server stays silent where that is too low.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from evaluation.accuracy import Answer, confidence_of
from evaluation.accuracy_run import AccuracyRun, add_arguments
from evaluation.items import Item, Kind
from server.completer import Completer, CompletionRequest
from training.artifact.errors import run_main

KINDS: tuple[Kind, ...] = ("mid", "start", "block")


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints its figures."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.lines", description=__doc__)
    add_arguments(parser, out=Path("runs/lines"))
    options = parser.parse_args(argv)
    run = AccuracyRun.of(options, KINDS)
    completer = Completer.load(options.model)
    bar = tqdm(run.left(), desc="completing", file=sys.stderr)
    for item in bar:
        run.append(answer(completer, item))
    run.finish("Lines and blocks")
    return 0


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
