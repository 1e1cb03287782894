"""Searches the training documents of a finished corpus for benchmark problems.

Uses the filter that also keeps problems out of a corpus, with the thresholds that the corpus was
built with. Called by ``python -m training.corpus.overlap``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from training.corpus.filters.ast_fingerprint import parse_python
from training.corpus.filters.benchmark_problems import BenchmarkProblem
from training.corpus.filters.contamination import ContaminationFilter
from training.corpus_reader import TRAIN, list_row_groups, load_report, read_documents
from training.foundation.errors import CorpusError
from training.foundation.progress import progress_bar

MAX_DOCUMENTS = 5  # named for each problem


@dataclass(frozen=True, kw_only=True)
class BenchmarkOverlap:
    """What a search of a corpus found.

    Attributes:
        corpus_sha256: The corpus.
        problems: The problems found, each with the first few documents that contain it.
        searched: The names of all problems that were searched for.
    """

    corpus_sha256: str
    problems: Mapping[str, tuple[str, ...]]
    searched: tuple[str, ...]


def find_overlap(
    corpus: Path, problems: Iterable[tuple[str, BenchmarkProblem]]
) -> BenchmarkOverlap:
    """Searches a corpus for problems, given with their names; a name may have several.

    Raises:
        CorpusError: The corpus or its report cannot be read.
    """
    named: dict[str, list[BenchmarkProblem]] = {}
    for name, problem in problems:
        named.setdefault(name, []).append(problem)
    min_words, min_nodes, sha256 = _read_thresholds(corpus)
    every = chain.from_iterable(named.values())
    of_all = ContaminationFilter(every, min_words=min_words, min_nodes=min_nodes)
    of_each = {
        name: ContaminationFilter(group, min_words=min_words, min_nodes=min_nodes)
        for name, group in named.items()
    }
    found: dict[str, list[str]] = {}
    for document, text in _read_training_documents(corpus):
        tree = parse_python(text)
        if of_all.check(text, tree) is None:
            continue
        for name, of_one in of_each.items():
            if of_one.check(text, tree) is not None:
                documents = found.setdefault(name, [])
                if len(documents) < MAX_DOCUMENTS:
                    documents.append(document)
    return BenchmarkOverlap(
        corpus_sha256=sha256,
        problems={name: tuple(found[name]) for name in named if name in found},
        searched=tuple(named),
    )


def _read_training_documents(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yields package and path of each training document, and its text."""
    groups = list_row_groups(corpus, TRAIN)
    with progress_bar(len(groups), "reading", "group") as bar:
        for group in groups:
            for document in read_documents(group, ["package", "path", "text"]):
                yield f"{document.package}/{document.path}", document.text
            bar.update()


def _read_thresholds(corpus: Path) -> tuple[int, int, str]:
    """Returns the thresholds that the corpus was built with, and its hash."""
    report = load_report(corpus)
    try:
        config = report["config"]
        return (
            int(config["decontaminate_min_words"]),
            int(config["decontaminate_min_nodes"]),
            str(report["corpus_sha256"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            f"{corpus} holds no readable report.json ({error!r}); name a corpus folder"
        ) from error
