"""Numbers on a command line: their ranges, checked once, where the option is defined.

Each function makes a ``type`` for argparse, which then refuses a value in one sentence that names
the option. Besides what is out of range, NaN, infinity and numbers of thousands of digits are
refused.
"""

import argparse
import math
from collections.abc import Callable

MAX_SEED = 2**63 - 1
_MAX_SHOWN_CHARS = 40


def limit_int(least: int, most: int) -> Callable[[str], int]:
    """Returns the type of whole numbers from ``least`` to ``most``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise _refuse(text, "a whole number") from None
        if not least <= value <= most:
            raise _refuse(text, f"a whole number from {least} to {most}")
        return value

    return parse


def limit_float(least: float, most: float, *, is_open: bool = False) -> Callable[[str], float]:
    """Returns the type of numbers from ``least`` to ``most``.

    Args:
        least: The smallest number.
        most: The largest number.
        is_open: Whether ``least`` itself is out of range.
    """
    start = f"above {least:g} and at most" if is_open else f"from {least:g} to"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise _refuse(text, "a number") from None
        if not least <= value <= most or math.isnan(value) or (is_open and value == least):
            raise _refuse(text, f"a number {start} {most:g}")
        return value

    return parse


def parse_seed(text: str) -> int:
    """Is the type of random seeds."""
    return limit_int(0, MAX_SEED)(text)


def _refuse(text: str, expected: str) -> argparse.ArgumentTypeError:
    is_long = len(text) > _MAX_SHOWN_CHARS
    shown = f"{text[:_MAX_SHOWN_CHARS]}..." if is_long else text
    return argparse.ArgumentTypeError(f"{shown!r} is out of range, expected {expected}")
