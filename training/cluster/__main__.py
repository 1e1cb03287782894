"""``python -m training.cluster CLUSTER.toml [key=value ...]``: builds a corpus on many machines.

Local processes, Ray or Slurm; the corpus' own config says what goes in. Run it in the environment
of ``constraints-cluster.txt``, on a machine that sees the same folders as the workers do.
"""

import sys
from collections.abc import Sequence

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("cluster")  # before the imports that need it

from training.cluster.config import ClusterConfig
from training.command_line import config_parser, find_config, parse_config
from training.corpus.build import REPORT_FILE
from training.corpus.config import CorpusConfig
from training.corpus.readers.sources import list_sources
from training.corpus.selection.heldout_split import describe
from training.corpus_reader import read_report
from training.foundation.atomic_files import check_replaceable
from training.foundation.config_schema import load_toml
from training.foundation.errors import PrerequisiteError, run_main


def main(argv: Sequence[str]) -> int:
    """Builds the corpus, or starts the jobs that will."""
    parser = config_parser(
        "training.cluster",
        "Build a corpus on many machines: local processes, Ray or Slurm. The cluster's config"
        " names the corpus' config. Run it again to resume.\n\nNeeds an environment of its own:"
        " pip install -c constraints-cluster.txt -e '.[cluster]'",
        example="{prog} cluster.toml executor=slurm slurm.partition=cpu",
        described="training/cluster/config.py",
    )
    config, _ = parse_config(ClusterConfig, parser, argv)
    corpus = load_toml(CorpusConfig, find_config(config.corpus), [])
    check_replaceable(corpus.out, mark=REPORT_FILE, key="out")
    try:
        from training.cluster.stages import run  # noqa: PLC0415 - says how to get what it needs
    except ImportError as error:
        raise PrerequisiteError(
            f"{error.name} is not installed; create an environment for the cluster with:"
            " pip install -c constraints-cluster.txt -e '.[cluster]'"
        ) from error
    if not run(config, corpus, list_sources(corpus)):
        sys.stdout.write(f"the jobs are queued; the last one writes {corpus.out}\n")
        return 0
    report = read_report(corpus.out)
    sys.stderr.write(f"{describe(report['heldout'])}\n")
    for split, totals in report["splits"].items():
        sys.stdout.write(
            f"{corpus.out / split}: {totals['documents']} documents,"
            f" {totals['bytes'] / 1e6:.1f} MB\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
