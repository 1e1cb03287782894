"""The options of ``parrotlet train`` that are checked before anything is written."""

import argparse
from pathlib import Path

from parrotlet.team.team_config import SCRATCH
from training.cluster.config import ClusterConfig
from training.config import check_repo_name
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError


def check_options(options: argparse.Namespace) -> None:
    """Refuses options that do not go together, and files and names that cannot be used.

    Raises:
        ConfigError: Says which, and what to do.
    """
    if options.start != SCRATCH and options.size is not None:
        raise ConfigError(
            "--size is given, but a model that goes on from another has its size; leave --size out,"
            f" or use --from {SCRATCH}"
        )
    if options.push is not None:
        _check_push(options.push)
    if options.launcher is not None and not options.launcher.is_file():
        raise ConfigError(f"there is no launcher file {options.launcher}; correct --launcher")
    if options.cluster is not None:
        _check_cluster(options.cluster)


def _check_push(repo: str) -> None:
    try:
        check_repo_name(repo)
    except ValueError as error:
        raise ConfigError(f"--push: {error}") from error


def _check_cluster(file: Path) -> None:
    """Reads the cluster's config; which corpus it names does not matter."""
    load_toml(ClusterConfig, file, ["corpus=corpus.toml"])
