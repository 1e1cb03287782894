"""Numbers on a command line: the range is that of the setting, where that is defined.

Each function makes a ``type`` for argparse, which then refuses a value in one sentence that names
the option. Besides what is out of range, NaN, infinity and numbers of thousands of digits are
refused.
"""

import argparse
import dataclasses
import typing
from collections.abc import Callable
from typing import Any

from training.foundation.command_parser import whole_number
from training.foundation.config_schema import Range, find_range

MAX_SEED = 2**63 - 1
parse_seed = whole_number(0, MAX_SEED)


def type_of_setting(config: type[Any], name: str) -> Callable[[str], Any]:
    """Returns the type of an option that sets a numeric field of a config."""
    (field,) = (field for field in dataclasses.fields(config) if field.name == name)
    allowed = find_range(field)
    if allowed is None:
        raise ValueError(f"{name} has no range")
    if typing.get_type_hints(config)[name] is float:
        return limit_float(allowed)
    return whole_number(int(allowed.least), int(allowed.most))


def limit_float(allowed: Range) -> Callable[[str], float]:
    """Returns the type of numbers in a range."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if value not in allowed:
            raise argparse.ArgumentTypeError(f"expected a number from {allowed}")
        return value

    return parse
