"""Argument parsers whose help names a command the way it was started.

The command ``parrotlet`` puts its own name and the subcommand into ``sys.argv[0]``; everything else
was started as a module.
"""

import argparse
import dataclasses
import re
import sys
import textwrap
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from training.foundation.config_schema import Range, find_range
from training.foundation.privacy.path_globs import find_glob_fault

LAUNCHER = "parrotlet"
HELP_COLUMNS = 79
_ROOT = __package__.removesuffix("training.foundation")  # "parrotlet." in a wheel


def program_name(module: str) -> str:
    """Returns the words by which a command is started.

    Args:
        module: The command's module, as it is called in a checkout: ``training.corpus``, say.
    """
    started_as = sys.argv[0]
    if started_as.startswith(f"{LAUNCHER} "):
        return started_as
    return f"python -m {_ROOT}{module}"


def command_parser(module: str, purpose: str, *, example: str) -> argparse.ArgumentParser:
    """Returns a parser whose help begins with the purpose and ends with examples.

    Args:
        module: The command's module, as it is called in a checkout.
        purpose: A few sentences; paragraphs are wrapped here.
        example: Command lines; ``{prog}`` stands for the program's name.
    """
    program = program_name(module)
    examples = example.format(prog=program).split("\n")
    paragraphs = (" ".join(text.split()) for text in purpose.split("\n\n"))
    return argparse.ArgumentParser(
        prog=program,
        description="\n\n".join(textwrap.fill(text, HELP_COLUMNS) for text in paragraphs),
        epilog="\n  ".join(["examples:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def whole_number(least: int, most: int = 1_000_000_000) -> Callable[[str], int]:
    """Returns the ``type`` of an argument that is a whole number from ``least`` to ``most``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:  # no number, or one of 5000 digits
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}")
        return number

    return parse


def limit_float(allowed: Range) -> Callable[[str], float]:
    """Returns the ``type`` of an argument that is a number in a range; NaN is in none."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if value not in allowed:
            raise argparse.ArgumentTypeError(f"expected a number from {allowed}")
        return value

    return parse


def type_of_setting(config: type[Any], name: str) -> Callable[[str], Any]:
    """Returns the ``type`` of an argument that sets a numeric field of a config."""
    (field,) = (field for field in dataclasses.fields(config) if field.name == name)
    allowed = find_range(field)
    if allowed is None:
        raise ValueError(f"{name} has no range")
    if typing.get_type_hints(config)[name] is float:
        return limit_float(allowed)
    return whole_number(int(allowed.least), int(allowed.most))


def path_glob(text: str) -> str:
    """Is the ``type`` of an argument that is a pattern of private files."""
    if fault := find_glob_fault([text]):
        raise argparse.ArgumentTypeError(fault)
    return text


_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,9})?) ?([KMGTP]?)(I?)B?", re.IGNORECASE)


def byte_count(least: int, most: int = 1 << 60) -> Callable[[str], int]:
    """Returns the ``type`` of an argument that is a number of bytes: ``3TB``, ``500MiB``, ``1024``.

    Units are powers of 1000, and of 1024 with an ``i``.
    """

    def parse(text: str) -> int:
        match = _SIZE.fullmatch(text.strip().replace("_", "").replace(",", ""))
        number = least - 1
        if match:
            base = 1024 if match[3] else 1000
            number = int(Decimal(match[1]) * base ** _UNITS[match[2].upper()])
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"expected a number of bytes from {least} to {most}, such as 3TB"
            )
        return number

    return parse
