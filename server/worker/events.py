"""The event log: one JSON object a line for each request, without any of the user's text.

Says at which stage a request ended and why, how many tokens were computed and how long it took.
A log that cannot be written never stops the server: it says so once and is given up. Called by the
service; replays and bug reports read it.
"""

import json
import logging
import time
from pathlib import Path
from typing import IO

from server.backends.model_store import expanded
from server.suggestion.confidence import Eagerness
from server.suggestion.request import CompletionResult

_log = logging.getLogger(__name__)


class EventLog:
    """Appends events to a file, or drops them if there is none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._n_events = 0
        self.last: dict[str, object] | None = None  # the last event
        self._file: IO[str] | None = None

    @classmethod
    def at(cls, name: str) -> "EventLog":
        """Returns the log of a setting; empty means none."""
        return cls(expanded(name) if name else None)

    def write(
        self,
        stage: str,
        result: CompletionResult,
        *,
        eagerness: Eagerness,
        needed_confidence: float,
    ) -> None:
        """Records how a request ended.

        Args:
            stage: "shown" or "typed through", or where it ended: "model", "rules", "confidence",
                "cancelled", "withheld" or "failed".
            result: Its figures.
            eagerness: The setting that held.
            needed_confidence: How confident the model had to be, between 0 and 1.
        """
        self._n_events += 1
        self.last = {
            "time": round(time.time(), 3),
            "request": self._n_events,
            "stage": stage,
            "reason": result.reason,
            "rules": list(result.rules),
            "extent": str(result.extent),
            "prompt_tokens": result.prompt_tokens,
            "reused_tokens": result.reused_tokens,
            "computed_tokens": result.computed_tokens,
            "new_tokens": result.new_tokens,
            "log_prob": _rounded(result.log_prob),
            "confidence": round(result.confidence, 4),
            "needed_confidence": needed_confidence,
            "eagerness": eagerness,
            "source": None if result.source is None else vars(result.source),
            "first_token_ms": _rounded(result.first_token_ms),
            "total_ms": _rounded(result.total_ms),
        }
        self._append(self.last)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, event: dict[str, object]) -> None:
        if self._path is None:
            return
        try:
            if self._file is None:
                self._file = self._path.open("a", encoding="utf-8")
            self._file.write(json.dumps(event) + "\n")
            self._file.flush()
        except OSError as error:
            _log.warning("cannot write the event log %s: %s", self._path, error.strerror)
            self._path = None


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 2)
