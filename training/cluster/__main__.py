"""``python -m training.cluster CLUSTER.toml [key=value ...]``: builds a corpus on many machines.

The stages run in local processes, on Ray or on Slurm; the corpus' own config says what it contains.
Needs the environment of ``constraints-cluster.txt``, and a machine that shares its folders with the
workers.
"""

import sys
from collections.abc import Sequence

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("cluster")  # before the imports that need it

from training.cluster.cluster_run import describe_ignored, locate_run
from training.cluster.config import ClusterConfig
from training.command_line import config_parser, find_config, parse_config
from training.corpus.config import CorpusConfig
from training.corpus.extraction.source_list import list_sources
from training.corpus.output.corpus_folder import CORPUS_FOLDER
from training.foundation.atomic_files import check_replaceable
from training.foundation.config_schema import load_toml
from training.foundation.errors import CorpusError, PrerequisiteError, run_main


def main(argv: Sequence[str]) -> int:
    """Builds the corpus, or queues the jobs that will."""
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
    check_replaceable(corpus.out, CORPUS_FOLDER, key="out")
    try:
        from training.cluster.stages import run_stages  # noqa: PLC0415 - needs an environment of its own
    except ImportError as error:
        raise PrerequisiteError(
            f"{error.name} is not installed; create an environment for the cluster with:"
            " pip install -c constraints-cluster.txt -e '.[cluster]'"
        ) from error
    if ignored := describe_ignored(config, corpus):
        sys.stderr.write(f"warning: {ignored}\n")
    run = locate_run(config, corpus)
    if not run_stages(config, corpus, list_sources(corpus), run):
        sys.stdout.write(f"the jobs are queued; the last one writes {corpus.out}\n")
        return 0
    report = run.load_report()
    if report is None:
        raise CorpusError(
            f"the run is finished, but {corpus.out} does not hold its corpus; does something else"
            " write there? Run the same command again"
        )
    if report.heldout is not None:
        sys.stderr.write(f"{report.heldout.describe()}\n")
    sys.stdout.write(report.describe_splits(corpus.out))
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
