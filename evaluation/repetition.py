"""How often a model repeats its training text: ``python -m evaluation.repetition --index FILE``.

Has a model write on from places in documents that it was trained on, greedily and long, as nobody
is shown it, and looks what it writes up in each index, but for what it has copied from before the
place. A repetition that the largest index finds and another does not is one that users with the
other are not told of. It says nothing of what is suggested, which is shorter, nor of texts that no
index holds.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

import numpy as np
from tqdm import tqdm

from evaluation.estimate import share
from evaluation.items import documents_of, in_turns
from server.completer import Completer
from server.models import BUNDLED_MODEL
from training.artifact.directory import TOKENIZER_FILE
from training.artifact.errors import ConfigError, run_main
from training.artifact.tokenizer import CodeTokenizer
from training.artifact.verbatim import GRAM, LEAST_TOKENS, VerbatimIndex, gram_hashes

_NEW_TOKENS = 160
_LEAST_CHARS = 400  # before a place


def main(argv: Sequence[str]) -> int:
    """Prints what each index finds."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.repetition", description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="an artifact directory")
    parser.add_argument(
        "--index", type=Path, action="append", required=True, help="may be given several times"
    )
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus/default"))
    parser.add_argument("--n", type=int, default=300, help="places")
    parser.add_argument("--seed", type=int, default=0, help="of the places")
    options = parser.parse_args(argv)
    if options.n < 1:
        raise ConfigError(f"--n is {options.n}, wanted at least 1")
    indices = {path: VerbatimIndex.read(path) for path in options.index}
    tokenizer = CodeTokenizer.load(options.model / TOKENIZER_FILE)
    completer = Completer.load(options.model)
    found = dict.fromkeys(indices, 0)
    n = 0
    for prefix in tqdm(
        _places(options.corpus, options.n, options.seed), total=options.n, file=sys.stderr
    ):
        (text,) = completer.generate(
            prefix, n=1, max_new_tokens=_NEW_TOKENS, temperature=0.0, top_p=1.0, seed=0
        )
        stretches = list(remembered(tokenizer.encode(prefix), tokenizer.encode(text)))
        n += 1
        for path, index in indices.items():
            found[path] += any(index.source_of(stretch) is not None for stretch in stretches)
    for path, k in found.items():
        of_all = share(k, n)
        told = f"{100 * of_all.value:.1f} % ({100 * of_all.low:.1f} to {100 * of_all.high:.1f})"
        sys.stdout.write(f"{path}: some {LEAST_TOKENS} tokens repeated in {k} of {n}, {told}\n")
    return 0


def remembered(before: Sequence[int], written: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yields the stretches of what was written of which no gram stands before."""
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
