"""``python -m training.corpus CONFIG.toml [key=value ...]``: builds a corpus folder."""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.artifact.errors import ConfigError, run_main
from training.artifact.schema import load_toml
from training.corpus.build import build
from training.corpus.config import CorpusConfig


def main(argv: Sequence[str]) -> int:
    """Builds the corpus of a config and says what it holds."""
    if not argv:
        raise ConfigError("usage: python -m training.corpus CONFIG.toml [key=value ...]")
    config = load_toml(CorpusConfig, Path(argv[0]), argv[1:])
    report = build(config)
    for split, totals in report["splits"].items():
        sys.stdout.write(
            f"{config.out / split}: {totals['documents']} documents,"
            f" {totals['bytes'] / 1e6:.1f} MB\n"
        )
    dropped = ", ".join(f"{reason} {n}" for reason, n in report["drops"].items())
    sys.stdout.write(f"dropped: {dropped}\ncorpus SHA-256 {report['corpus_sha256']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
