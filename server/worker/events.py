"""The event log: one JSON object a line for each request, without any of the user's text.

A log that cannot be written never stops the server: it warns once and writes no more. Called by
:mod:`server.worker.service`; replays and bug reports read the file.
"""

import contextlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import IO

from server.backends.model_store import expand_user
from server.settings import Settings
from server.suggestion.confidence import needed_confidence
from server.suggestion.event import CompletionEvent, Stage
from server.suggestion.result import CompletionResult

_log = logging.getLogger(__name__)


class EventLog:
    """Appends each event to the file that the settings name."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._path: Path | None = None
        self._file: IO[str] | None = None
        self._n_events = 0

    def configure(self, settings: Settings) -> None:
        """Uses other settings; with another file, the events are counted anew."""
        before, self._settings = self._settings, settings
        if settings.event_log != before.event_log:
            self.close()
            self._path = expand_user(settings.event_log) if settings.event_log else None
            self._n_events = 0

    def record(
        self,
        stage: Stage,
        result: CompletionResult,
        *,
        is_asked_for: bool,
        logged_reason: str | None = None,
    ) -> CompletionEvent:
        """Records how a request ended.

        Args:
            stage: Where it ended.
            result: Its result.
            is_asked_for: Whether the user asked for a suggestion.
            logged_reason: The reason for the log; None if it is the result's.
        """
        self._n_events += 1
        event = self.describe(stage, result, is_asked_for=is_asked_for)
        if self._path is not None:
            reason = event.reason if logged_reason is None else logged_reason
            self._append(replace(event, reason=reason))
        return event

    def describe(
        self, stage: Stage, result: CompletionResult, *, is_asked_for: bool
    ) -> CompletionEvent:
        """Returns the event of a result, without recording it."""
        eagerness = self._settings.suggestion.eagerness
        return CompletionEvent.of(
            stage,
            result,
            request=self._n_events,
            eagerness=eagerness,
            needed_confidence=needed_confidence(eagerness, is_asked_for=is_asked_for),
        )

    def close(self) -> None:
        """Closes the file."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # what could not be written is written once more
                file.close()

    def _append(self, event: CompletionEvent) -> None:
        assert self._path is not None
        try:
            if self._file is None:
                self._file = self._path.open("a", encoding="utf-8")
            self._file.write(json.dumps(event.to_log()) + "\n")
            self._file.flush()
        except (OSError, ValueError) as error:  # ValueError: no file can have such a name
            reason = getattr(error, "strerror", None) or "it is not a file name"
            _log.warning("cannot write the event log %a: %s", str(self._path), reason)
            self._path = None
