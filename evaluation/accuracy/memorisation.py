"""How often a model repeats its training text verbatim.

The model continues training documents greedily, for longer than any suggestion. A continuation
counts if an index of training text contains a stretch of it that does not occur in the prompt.
The result says nothing about suggestions, which are shorter, nor about text in no index.
"""

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from evaluation.runs.corpus_documents import alternate_packages, read_documents
from evaluation.runs.estimators import estimate_share, format_estimate
from server.completer import Completer
from training.artifact.directory import TOKENIZER_FILE
from training.artifact.tokenizer import CodeTokenizer
from training.artifact.verbatim import GRAM, LEAST_TOKENS, VerbatimIndex, gram_hashes
from training.foundation.errors import ConfigError

_NEW_TOKENS = 160
_MIN_PREFIX_CHARS = 400


@dataclass(frozen=True, kw_only=True)
class MemorisationCounts:
    """How many documents were continued, and in how many each index found a repetition."""

    continuations: int
    repetitions: Mapping[Path, int]


def measure_memorisation(
    model: Path, indexes: Sequence[Path], corpus: Path, *, n: int, seed: int
) -> MemorisationCounts:
    """Continues ``n`` training documents and looks the continuations up in each index.

    Raises:
        ArtifactError: The model or an index cannot be read.
        ConfigError: No document of the corpus is long enough.
        PrerequisiteError: The corpus does not exist.
    """
    indexes_by_path = {path: VerbatimIndex.read(path) for path in indexes}
    tokenizer = CodeTokenizer.load(model / TOKENIZER_FILE)
    completer = Completer.load(model)
    repetitions = dict.fromkeys(indexes_by_path, 0)
    continuations = 0
    prefixes = _choose_prefixes(corpus, n, seed)
    for prefix in tqdm(prefixes, total=n, desc="repetition", file=sys.stderr):
        (text,) = completer.generate(
            prefix, n=1, max_new_tokens=_NEW_TOKENS, temperature=0.0, top_p=1.0, seed=0
        )
        stretches = list(split_at_copies(tokenizer.encode(prefix), tokenizer.encode(text)))
        continuations += 1
        for path, index in indexes_by_path.items():
            repetitions[path] += any(index.find_reference(s) is not None for s in stretches)
    if not continuations:
        raise ConfigError(
            f"no training document in {corpus} has {_MIN_PREFIX_CHARS} characters before a line's"
            " end; use a larger corpus"
        )
    return MemorisationCounts(continuations=continuations, repetitions=repetitions)


def format_memorisation(counts: MemorisationCounts) -> str:
    """Returns a line for each index."""
    return "".join(
        f"{path}: {k} of {counts.continuations} continuations repeat at least {LEAST_TOKENS} tokens"
        f" of training text, {format_estimate(estimate_share(k, counts.continuations))}\n"
        for path, k in counts.repetitions.items()
    )


def split_at_copies(prompt: Sequence[int], text: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yields the stretches of a continuation that share no gram with the prompt.

    Args:
        prompt: Token ids.
        text: The token ids of the continuation.
    """
    is_copy = np.isin(gram_hashes(np.asarray(text)), gram_hashes(np.asarray(prompt)))
    edges = np.flatnonzero(np.diff(is_copy, prepend=True, append=True))
    for start, end in edges.reshape(-1, 2).tolist():
        yield text[start : end + GRAM - 1]


def _choose_prefixes(corpus: Path, n: int, seed: int) -> Iterator[str]:
    """Yields the beginnings of ``n`` training documents, each up to the end of a line."""
    chance = random.Random(seed)
    for document in alternate_packages(list(read_documents(corpus, "train")), chance):
        text = document.text
        ends = [i + 1 for i, c in enumerate(text) if c == "\n" and i >= _MIN_PREFIX_CHARS]
        if ends and n:
            n -= 1
            yield text[: chance.choice(ends)]
