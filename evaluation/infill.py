"""Infilling: ``python -m evaluation.infill --model DIR --corpus FOLDER``.

Cuts a stretch of text out of held-out documents (or takes the places of ``--items``), has the model
fill the gap until it ends it by itself, and prints exact match, edit similarity and syntax validity
with intervals: of lines, of blocks, and of spans as infilling was trained with. Nothing is trimmed
or refused, unlike what ``evaluation.lines`` measures.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from evaluation.accuracy import Answer
from evaluation.accuracy_run import AccuracyRun, add_arguments
from evaluation.items import Item, Kind
from server.completer import Completer
from training.artifact.errors import run_main

KINDS: tuple[Kind, ...] = ("mid", "start", "block", "span")
MAX_NEW_TOKENS = 192


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints its figures."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.infill", description=__doc__)
    add_arguments(parser, out=Path("runs/infill"))
    options = parser.parse_args(argv)
    run = AccuracyRun.of(options, KINDS)
    completer = Completer.load(options.model)
    bar = tqdm(run.left(), desc="filling", file=sys.stderr)
    for item in bar:
        run.append(answer(completer, item))
    run.finish("Infilling")
    return 0


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
