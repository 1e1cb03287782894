"""The command that measures bits a byte file by file: ``python -m evaluation.bits``."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.comparison.file_bits import bits_per_byte, measure_files
from evaluation.runs.arguments import (
    add_corpus_argument,
    add_model_argument,
    add_sampling_arguments,
)
from evaluation.runs.corpus_documents import CorpusDocument, read_documents
from evaluation.runs.input_files import read_json_lines
from evaluation.runs.record_fields import get_field
from training.artifact.directory import load_artifact
from training.foundation.atomic_files import write_json_atomically
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, run_main

_PURPOSE = """\
Measure how well a model predicts files, from left to right and file by file: bits per
byte, which do not depend on the tokenizer. The fewer, the better."""
_EXAMPLE = """\
{prog} --corpus runs/corpus/default --n 50
{prog} --records files.jsonl --out bits.json"""


def main(argv: Sequence[str]) -> int:
    """Measures, prints the mean and writes what each file needs."""
    options = _parser().parse_args(argv)
    documents = read_record_documents(options.records) if options.records else _read_corpus(options)
    found = measure_files(load_artifact(options.model), documents)
    if options.out is not None:
        write_json_atomically(options.out, [file.to_json() for file in found])
    n_bytes = sum(file.n_bytes for file in found)
    sys.stdout.write(
        f"{len(found)} files, {n_bytes} bytes: {bits_per_byte(found):.4f} bits per byte\n"
    )
    return 0


def _read_corpus(options: argparse.Namespace) -> list[CorpusDocument]:
    return spread_evenly(
        list(read_documents(options.corpus, "heldout")), n=options.n, seed=options.seed
    )


def spread_evenly(
    documents: Sequence[CorpusDocument], *, n: int, seed: int
) -> list[CorpusDocument]:
    """Returns ``n`` documents at equal distances, or all if there are fewer.

    Seeds that follow one another give other documents, as far as there are any.
    """
    n_all = len(documents)
    if n_all <= n:
        return list(documents)
    offset = seed * n % n_all
    return [documents[(i * n_all + offset) // n] for i in range(n)]


def read_record_documents(file: Path) -> Iterator[CorpusDocument]:
    """Yields the documents of a file with JSON lines.

    Raises:
        ConfigError: It is damaged.
    """
    for where, record in read_json_lines(file, "--records"):
        if not isinstance(record, dict):
            raise ConfigError(f"{where}: expected a JSON object")
        try:
            names = ("package", "path", "text")
            yield CorpusDocument(**{name: get_field(record, name, str) for name in names})
        except (KeyError, TypeError, ValueError) as error:
            shown = json.dumps(str(error))
            raise ConfigError(
                f"{where}: expected package, path and text ({shown}); correct the file"
            ) from error


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.bits", _PURPOSE, example=_EXAMPLE)
    add_model_argument(parser)
    add_corpus_argument(parser, "without --records: measure the held-out files of this corpus")
    parser.add_argument(
        "--records",
        type=Path,
        metavar="FILE",
        help="measure these files: JSON lines with package, path and text",
    )
    add_sampling_arguments(parser, 200, "files of the corpus to measure", "choosing files")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what each file needs")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
