"""What is published names no folder of the machine that it was made on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def strip_folders(value: Any) -> Any:
    """Returns plain data with every absolute path, or pattern of paths, reduced to its last name.

    Args:
        value: Of mappings, lists, tuples and scalars, as of JSON or TOML.
    """
    if isinstance(value, Mapping):
        return {key: strip_folders(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(strip_folders(part) for part in value)
    is_path = isinstance(value, str) and Path(value).is_absolute()
    return Path(value).name if is_path else value
