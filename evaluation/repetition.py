"""How often a model repeats its training text: ``python -m evaluation.repetition --index FILE``.

Lets a model continue training documents greedily, for longer than any suggestion, and looks up its
output in each index of training text; text copied from the prompt itself does not count. A
repetition that only the largest index finds is one that users of a smaller index are not told of.
The result says nothing about suggestions, which are shorter, nor about text in no index.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

import numpy as np
from tqdm import tqdm

from evaluation.accuracy.items import documents_of, in_turns
from evaluation.command_line import DEFAULT_CORPUS, add_model_argument
from evaluation.runs.estimators import percent_with_interval, share
from server.completer import Completer
from training.artifact.directory import TOKENIZER_FILE
from training.artifact.tokenizer import CodeTokenizer
from training.artifact.verbatim import GRAM, LEAST_TOKENS, VerbatimIndex, gram_hashes
from training.foundation.command_parser import command_parser
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, run_main

_PURPOSE = """\
Measure how often a model repeats its training text verbatim. The model continues
training documents greedily for 160 tokens; each continuation is looked up in the given
indexes of training text, ignoring what it copied from its own prompt."""
_EXAMPLE = "{prog} --index server/model/verbatim.safetensors --corpus runs/corpus/default"
_NEW_TOKENS = 160
_LEAST_CHARS = 400  # before a place


def main(argv: Sequence[str]) -> int:
    """Prints what each index finds."""
    options = _parser().parse_args(argv)
    if options.n < 1:
        raise ConfigError(f"--n is {options.n}, but must be at least 1; correct it")
    indices = {path: VerbatimIndex.read(path) for path in options.index}
    tokenizer = CodeTokenizer.load(options.model / TOKENIZER_FILE)
    completer = Completer.load(options.model)
    found = dict.fromkeys(indices, 0)
    n = 0
    places = _places(options.corpus, options.n, options.seed)
    for prefix in tqdm(places, total=options.n, desc="repetition", file=sys.stderr):
        (text,) = completer.generate(
            prefix, n=1, max_new_tokens=_NEW_TOKENS, temperature=0.0, top_p=1.0, seed=0
        )
        stretches = list(remembered(tokenizer.encode(prefix), tokenizer.encode(text)))
        n += 1
        for path, index in indices.items():
            found[path] += any(index.source_of(stretch) is not None for stretch in stretches)
    for path, k in found.items():
        of_all = share(k, n)
        sys.stdout.write(
            f"{path}: {k} of {n} continuations repeat at least {LEAST_TOKENS} tokens of training"
            f" text, {percent_with_interval(to_mapping(of_all))}\n"
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.repetition", _PURPOSE, example=_EXAMPLE)
    add_model_argument(parser)
    parser.add_argument(
        "--index",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="an index made by parrotlet index-verbatim; repeat the option to compare indexes",
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        default=DEFAULT_CORPUS,
        metavar="FOLDER",
        help="the corpus that the model was trained on (default: %(default)s)",
    )
    parser.add_argument(
        "--n", type=int, default=300, help="documents to continue (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="random seed for choosing documents and positions (default: %(default)s)",
    )
    return parser


def remembered(before: Sequence[int], written: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yields the stretches of the continuation that share no gram with the prompt."""
    known = np.isin(gram_hashes(np.asarray(written)), gram_hashes(np.asarray(before)))
    edges = np.flatnonzero(np.diff(known, prepend=True, append=True))
    for start, end in edges.reshape(-1, 2).tolist():
        yield written[start : end + GRAM - 1]


def _places(corpus: Path, n: int, seed: int) -> Iterator[str]:
    """Yields texts that end where a line begins, from ``n`` training documents."""
    chance = random.Random(seed)
    for _, _, text in in_turns(list(documents_of(corpus, "train")), chance):
        ends = [i + 1 for i, c in enumerate(text) if c == "\n" and i >= _LEAST_CHARS]
        if ends and n:
            n -= 1
            yield text[: chance.choice(ends)]


if __name__ == "__main__":
    sys.exit(run_main(main))
