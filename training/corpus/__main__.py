"""``python -m training.corpus CONFIG.toml [key=value ...]``: builds a corpus folder."""

import argparse
import sys
from collections.abc import Sequence

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.command_line import config_parser, parse_config
from training.corpus.build import build_corpus
from training.corpus.config import CorpusConfig
from training.corpus.input_hash import hash_inputs
from training.corpus.output.corpus_report import load_finished_report
from training.foundation.errors import run_main
from training.foundation.folder_lock import folder_lock

_PURPOSE = """\
Build a corpus: read Python files from packages, folders, git repositories and datasets, and keep
what is allowed, unique, and free of secrets and benchmark problems.

Writes Parquet files, report.html and NOTICE to the folder that the config names (out)."""
_EXAMPLE = """\
{prog} training/configs/corpus-debug.toml
{prog} training/configs/corpus.toml processes=8
{prog} my-corpus.toml sources.folders='["src"]'"""


def main(argv: Sequence[str]) -> int:
    """Builds the corpus of a config, unless it is up to date, and prints what it holds."""
    config, options = parse_config(CorpusConfig, _parser(), argv)
    report = None if options.force else load_finished_report(config.out, hash_inputs(config))
    if report is not None:
        sys.stdout.write(f"{config.out} is up to date; --force builds it again\n")
    else:
        with folder_lock(config.out, beside=True):
            report = build_corpus(config)
    if report.heldout is not None:
        sys.stderr.write(f"{report.heldout.describe()}\n")
    sys.stdout.write(report.describe_splits(config.out))
    dropped = ", ".join(f"{reason} {n}" for reason, n in report.drops.items())
    sys.stdout.write(f"dropped: {dropped}\ncorpus SHA-256 {report.corpus_sha256}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = config_parser(
        "training.corpus", _PURPOSE, example=_EXAMPLE, described="training/corpus/config.py"
    )
    parser.add_argument(
        "--force", action="store_true", help="build again even if the corpus is up to date"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
