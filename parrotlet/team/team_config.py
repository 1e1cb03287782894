"""The configs that ``parrotlet train`` writes, as for the single commands: corpus and run."""

import argparse
import glob
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.artifact.bundled import resolve_artifact
from training.autoconfig.sizing import parse_parameters, parse_seconds, parse_tokens
from training.command_line import check_paths, find_config
from training.config import RunConfig
from training.corpus.config import CorpusConfig
from training.foundation.config_schema import (
    apply_overrides,
    from_mapping,
    load_toml,
    render_toml,
    to_mapping,
)
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import as_object, read_json
from training.foundation.work_trees import is_bare_repository

CORPUS_CONFIG, RUN_CONFIG = "corpus.toml", "run.toml"
CORPUS, TOKENIZER, SHARDS, RUN = "corpus", "tokenizer", "shards", "run"
OWN_LICENCE = "LicenseRef-Own"
SCRATCH = "scratch"
# Of a model that goes on from another: those of an adaptation (training/LOG.md).
CONTINUED_RATES = ("matrix_learning_rate=4e-3", "learning_rate=1e-3", "decay_share=1.0")
# As a corpus reads them, but for zip archives and single files of Python.
_RECORDS = (
    *(f"{k}{p}" for k in (".json", ".jsonl", ".csv", ".tsv", ".txt") for p in ("", ".gz", ".zst")),
    ".parquet",
)
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tgz")
_CONTEXT = "n_positions"
_NETWORK = ("n_embd", "n_layer", "n_head", "activation_function")
_REVISION = re.compile(r"(.*)@([^/@]+)")


def render_configs(options: argparse.Namespace) -> dict[str, str]:
    """Returns the configs to write into the output folder, checked: name of the file, content.

    Raises:
        ConfigError: A path is nothing to learn from, or a setting is wrong.
    """
    run = describe_run(options)
    _check_run(run, list_settings(options))
    corpus = read_corpus(options) if is_config(options.paths) else describe_corpus(options)
    return {CORPUS_CONFIG: render_toml(corpus), RUN_CONFIG: render_toml(run)}


def list_settings(options: argparse.Namespace) -> list[str]:
    """Returns the settings of the run that its config leaves to the command line."""
    rates = () if options.start == SCRATCH else CONTINUED_RATES
    return [*(f"optim.{rate}" for rate in rates), *options.settings]


def _check_run(values: dict[str, Any], settings: Sequence[str]) -> None:
    """Refuses what the commands would refuse, some of them hours later."""
    own = to_mapping(values)
    apply_overrides(own, settings)
    if own["paths"] != values["paths"]:
        raise ConfigError("--set cannot change paths; --out says where everything is made")
    config = from_mapping(RunConfig, own, where="the settings of the training")
    check_paths(config)
    if config.budget is not None and parse_seconds(config.budget) is None:
        parse_tokens(config.budget)
    if config.size is not None:
        parse_parameters(config.size)


def read_corpus(options: argparse.Namespace) -> CorpusConfig:
    """Returns the user's own corpus config, with the corpus in the output folder.

    Its relative paths count from the working folder, in which the stages are run.

    Raises:
        ConfigError: It cannot be read, or would be replaced by the one that is written.
    """
    out: Path = options.out
    file = find_config(Path(options.paths[0]))
    if file.resolve() == (out / CORPUS_CONFIG).resolve():
        raise ConfigError(
            f"{file} would be replaced by the config that is written into --out; move it to another"
            " place, or choose another --out"
        )
    config = load_toml(CorpusConfig, file, [f"out={out / CORPUS}"])
    check_paths(config)
    return config


def describe_corpus(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the corpus' config for the paths that were named."""
    sources: dict[str, Any] = {
        "folder_licence": OWN_LICENCE,
        "private_globs": list(options.private),
    }
    for path in options.paths:
        kind, name = _classify(path)
        sources.setdefault(kind, []).append(name)
    out: Path = options.out
    return {
        "out": str(out / CORPUS),
        "cache": str(out / "cache"),
        "licences": [OWN_LICENCE, *options.licence],
        "heldout": list(options.heldout),
        "sources": sources,
    }


def describe_run(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the run's config; size and budget choose everything else."""
    out: Path = options.out
    paths = {
        "corpus": str(out / CORPUS),
        "tokenizer": str(out / TOKENIZER),
        "shards": str(out / SHARDS),
        "run": str(out / RUN),
    }
    values: dict[str, Any] = {"name": out.name or "team", "budget": options.budget, "paths": paths}
    values["pretrain"] = {"tracker": "none"}
    if options.start == SCRATCH:
        own = {} if options.vocab_size is None else {"vocab_size": options.vocab_size}
        return {**values, "size": options.size, "tokenizer": own}
    start = resolve_artifact(Path(options.start)).absolute()
    network = _read_network(start)
    paths["tokenizer"] = str(start)
    values["pretrain"]["start_from"] = str(start)
    values["shards"] = {"block_tokens": network[_CONTEXT]}
    values["model"] = {name: network[name] for name in _NETWORK if name in network}
    return values


def _read_network(start: Path) -> Mapping[str, Any]:
    try:
        network = as_object(read_json(start / "config.json"))
        return {_CONTEXT: network[_CONTEXT], **network}
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"--from is {start}, which is no model folder ({error}); name one, 'bundled' or"
            f" '{SCRATCH}'"
        ) from error


def is_config(paths: Sequence[str]) -> bool:
    """Says whether the paths are one corpus config of the user's own."""
    return len(paths) == 1 and paths[0].endswith(".toml")


def _classify(name: str) -> tuple[str, str]:
    """Returns the key of the corpus' config that a path belongs to, and the path for it."""
    match = _REVISION.fullmatch(name)
    path = Path(name)
    if not path.exists() and match and Path(match[1]).exists():
        return "git", f"{Path(match[1]).absolute()}@{match[2]}"
    if path.is_dir():
        is_repository = (path / ".git").exists() or is_bare_repository(path)
        return ("git" if is_repository else "folders"), str(path.absolute())
    if (pattern := _find_records(path)) is not None:
        return "records", pattern
    if path.is_file() and name.endswith(_ARCHIVES):
        return "archives", str(path.absolute())
    raise ConfigError(
        f"{name} is nothing to learn from; name repositories, folders, archives, files of records,"
        " or one corpus config (.toml)"
    )


def _find_records(path: Path) -> str | None:
    """Returns the pattern of a file of records, or of several; None if a path is neither."""
    if not path.name.endswith(_RECORDS):
        return None
    if path.exists():
        return glob.escape(str(path.absolute()))
    if not glob.has_magic(str(path)):
        return None
    return str(path if path.is_absolute() else Path(glob.escape(str(Path.cwd())), path))


def describe_arguments(argv: Sequence[str]) -> str:
    """Returns the arguments as they are recorded."""
    return json.dumps(list(argv))
