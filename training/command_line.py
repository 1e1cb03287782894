"""The command-line arguments that the training commands share: a config and overrides.

Imports nothing heavy, so that ``--help`` is fast.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from training.foundation.command_parser import command_parser
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import replace_surrogates

T = TypeVar("T")
CONFIGS = Path(__file__).parent / "configs"
_OVERRIDES = (
    "settings to change for this run, such as pretrain.steps=200; the key is the path in the"
    " config, the value is a TOML value or a bare word"
)


def config_parser(
    module: str, purpose: str, *, example: str, described: str
) -> argparse.ArgumentParser:
    """Returns the parser of a command that takes ``CONFIG.toml [key=value ...]``.

    Args:
        module: As for :func:`~training.foundation.command_parser.command_parser`.
        purpose: As for :func:`~training.foundation.command_parser.command_parser`.
        example: As for :func:`~training.foundation.command_parser.command_parser`.
        described: The file that documents every key.
    """
    parser = command_parser(module, purpose, example=example)
    add_config_arguments(parser, described)
    return parser


def add_config_arguments(parser: argparse.ArgumentParser, described: str) -> None:
    """Adds ``CONFIG.toml [key=value ...]``; ``described`` is the file that documents every key."""
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG.toml",
        help=f"the configuration; {described} documents every key",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help=_OVERRIDES)


def parse_config(
    cls: type[T], parser: argparse.ArgumentParser, argv: Sequence[str]
) -> tuple[T, argparse.Namespace]:
    """Parses the arguments of :func:`config_parser`; returns the config and all options.

    Raises:
        ConfigError: The config cannot be read, or has an unknown key or a wrong value.
    """
    options = parser.parse_intermixed_args(argv)
    config = load_toml(cls, find_config(options.config), options.overrides)
    check_paths(config)
    return config, options


def check_paths(config: Any, prefix: str = "") -> None:
    """Refuses paths that are not UTF-8, which the libraries that write there cannot open.

    Raises:
        ConfigError: Names the setting, before any work is done.
    """
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            check_paths(value, f"{name}.")
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path):
                full = str(path.absolute())
                if replace_surrogates(full) != full:
                    raise ConfigError(
                        f"{name} is {full}, whose name is not UTF-8; choose or rename a folder"
                    )


def find_config(path: Path) -> Path:
    """Returns ``path``, or the config of this name that comes with the package.

    So ``debug.toml`` and ``training/configs/debug.toml`` work in any folder.
    """
    is_shipped = path.parent in {Path(), Path("training/configs")}
    shipped = CONFIGS / path.name
    return shipped if is_shipped and not path.exists() and shipped.is_file() else path
