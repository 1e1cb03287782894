"""A run's folder belongs to one run: other weights, problems or settings are refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import ConfigError

RUN_FILE = "run.json"


def claim(out: Path, identity: Mapping[str, Any]) -> None:
    """Marks the folder as this run's, or checks that it is.

    Raises:
        ConfigError: It is another's.
    """
    path = out / RUN_FILE
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path} is damaged ({error}); delete the folder or choose another --out"
            ) from error
        if found != identity:
            key = next(k for k in {**identity, **found} if found.get(k) != identity.get(k))
            raise ConfigError(
                f"{out} contains a run with another {key}; choose another --out, or repeat that"
                " run's arguments to resume it"
            )
    write_json_atomically(path, identity)
