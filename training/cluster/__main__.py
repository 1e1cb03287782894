"""``python -m training.cluster CLUSTER.toml [key=value ...]``: builds a corpus on many machines.

Local processes, Ray or Slurm; the corpus' own config says what goes in. Run it in the environment
of ``constraints-cluster.txt``, on a machine that sees the same folders as the workers do.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("cluster")  # before the imports that need it

from training.artifact.errors import PrerequisiteError, run_main
from training.artifact.schema import load_toml
from training.cluster.config import ClusterConfig
from training.corpus.build import check_replaceable
from training.corpus.config import CorpusConfig
from training.corpus.sources import list_sources
from training.corpus_reader import read_report


def main(argv: Sequence[str]) -> int:
    """Builds the corpus, or starts the jobs that will."""
    parser = argparse.ArgumentParser(prog="python -m training.cluster", description=__doc__)
    parser.add_argument("config", type=Path, metavar="CLUSTER.toml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="over the config's own")
    arguments = parser.parse_args(argv)
    config = load_toml(ClusterConfig, arguments.config, arguments.overrides)
    corpus = load_toml(CorpusConfig, config.corpus, [])
    check_replaceable(corpus.out)
    try:
        from training.cluster.stages import run  # noqa: PLC0415 - says how to get what it needs
    except ImportError as error:
        raise PrerequisiteError(
            f"{error.name} is not installed; make an environment with:"
            " pip install -c constraints-cluster.txt -e '.[cluster]'"
        ) from error
    if not run(config, corpus, list_sources(corpus)):
        sys.stdout.write(f"the jobs are queued; the last of them writes {corpus.out}\n")
        return 0
    report = read_report(corpus.out)
    for split, totals in report["splits"].items():
        sys.stdout.write(
            f"{corpus.out / split}: {totals['documents']} documents,"
            f" {totals['bytes'] / 1e6:.1f} MB\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
