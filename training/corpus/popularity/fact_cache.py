"""What the services have answered so far, one JSON line each, so that an interrupted run resumes.

A line that was not finished when a run was killed is left out.
"""

import json
import time
from pathlib import Path

from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import as_object, parse_json

_DAY_S = 86_400.0
_MAX_LINE_BYTES = 4096


class FactCache:
    """A file of facts.

    Args:
        path: The file.
        max_age_days: Older answers are asked for again.
    """

    def __init__(self, path: Path, *, max_age_days: float) -> None:
        self._path = path
        self._facts: dict[tuple[str, str], float | None] = {}
        oldest = time.time() - max_age_days * _DAY_S
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            lines = []
        self._is_cut = bool(lines and lines[-1])
        for line in filter(None, lines):
            try:
                fact = as_object(parse_json(line, max_bytes=_MAX_LINE_BYTES))
                kind, name, moment = str(fact["fact"]), str(fact["name"]), float(fact["time"])
                value = None if fact["value"] is None else float(fact["value"])
            except (ForeignDataError, KeyError, TypeError, ValueError):
                continue
            if moment >= oldest:
                self._facts[kind, name] = value

    def find(self, kind: str, name: str) -> float | None:
        """Returns what is known; None if there is no such thing, or it is unknown."""
        return self._facts.get((kind, name))

    def is_known(self, kind: str, name: str) -> bool:
        """Returns whether a fact need not be asked for."""
        return (kind, name) in self._facts

    def add(self, kind: str, facts: dict[str, float | None]) -> None:
        """Keeps the answers to one request."""
        now = time.time()
        with self._path.open("a", encoding="utf-8") as file:
            if self._is_cut:
                file.write("\n")
                self._is_cut = False
            for name, value in facts.items():
                self._facts[kind, name] = value
                line = {"fact": kind, "name": name, "value": value, "time": round(now)}
                file.write(json.dumps(line) + "\n")
