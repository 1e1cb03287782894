"""The options of ``parrotlet train`` that are checked before anything is written."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from parrotlet.team.team_config import SCRATCH, is_config
from training.cluster.config import ClusterConfig
from training.config import check_repo_name
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError

# What a corpus config of one's own calls them.
_CORPUS_KEYS = {"private": "sources.private_globs", "heldout": "heldout", "licence": "licences"}
_SCRATCH_OPTIONS = {"size": "size", "vocab_size": "vocabulary"}


def check_options(options: argparse.Namespace) -> None:
    """Refuses options that do not go together, and files and names that cannot be used.

    Raises:
        ConfigError: Says which, and what to do.
    """
    if is_config(options.paths):
        _refuse_corpus_options(options)
    if options.start != SCRATCH:
        _refuse_scratch_options(options)
    if options.public and options.push is None:
        raise ConfigError(
            "--public is given without --push, so nothing is uploaded; add --push OWNER/NAME, or"
            " leave --public out"
        )
    if options.push is not None:
        _check_push(options.push)
    if options.launcher is not None and not options.launcher.is_file():
        raise ConfigError(f"there is no launcher file {options.launcher}; correct --launcher")
    if options.cluster is not None:
        _check_cluster(options.cluster)


def _refuse_corpus_options(options: argparse.Namespace) -> None:
    """Refuses options that a corpus config of one's own would not follow."""
    given = {name: key for name, key in _CORPUS_KEYS.items() if getattr(options, name)}
    if given:
        raise ConfigError(
            f"{_join(f'--{name}' for name in given)} cannot be used with a corpus config; set"
            f" {_join(given.values())} in {options.paths[0]}"
        )


def _refuse_scratch_options(options: argparse.Namespace) -> None:
    """Refuses options that a model which goes on from another would not follow."""
    for name, what in _SCRATCH_OPTIONS.items():
        if getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{option} is given, but a model that goes on from another has its {what}; leave"
                f" {option} out, or use --from {SCRATCH}"
            )


def _join(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _check_push(repo: str) -> None:
    try:
        check_repo_name(repo)
    except ValueError as error:
        raise ConfigError(f"--push: {error}") from error


def _check_cluster(file: Path) -> None:
    """Reads the cluster's config; which corpus it names does not matter."""
    load_toml(ClusterConfig, file, ["corpus=corpus.toml"])
