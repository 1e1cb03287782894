"""``python -m training.corpus CONFIG.toml [key=value ...]``: builds a corpus folder."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.artifact.errors import run_main
from training.artifact.schema import load_toml
from training.corpus.build import build, finished_report
from training.corpus.config import CorpusConfig


def main(argv: Sequence[str]) -> int:
    """Builds the corpus of a config, unless it is there, and says what it holds."""
    arguments = _parser().parse_args(argv)
    config = load_toml(CorpusConfig, arguments.config, arguments.overrides)
    report = None if arguments.force else finished_report(config)
    if report is not None:
        sys.stdout.write(f"{config.out} is there already; --force builds it again\n")
    else:
        report = build(config)
    for split, totals in report["splits"].items():
        sys.stdout.write(
            f"{config.out / split}: {totals['documents']} documents,"
            f" {totals['bytes'] / 1e6:.1f} MB\n"
        )
    dropped = ", ".join(f"{reason} {n}" for reason, n in report["drops"].items())
    sys.stdout.write(f"dropped: {dropped}\ncorpus SHA-256 {report['corpus_sha256']}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.corpus", description=__doc__)
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="over the config's own")
    parser.add_argument("--force", action="store_true", help="build even if it is there already")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
