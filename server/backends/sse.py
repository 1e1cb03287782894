"""Server-sent events, as OpenAI's ``/v1/completions`` streams them: bytes in, JSON objects out."""

from collections.abc import Iterator
from typing import IO, Any

from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import parse_json

_MAX_LINE_BYTES = 1 << 20


class InvalidEventError(Exception):
    """The stream holds an event that is not a JSON object, or one that reports an error.

    ``quoted`` is what the server says about the error.
    """

    def __init__(self, sentence: str, quoted: str = "") -> None:
        super().__init__(sentence)
        self.quoted = quoted


def read_events(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yields the events of a stream until its end or ``[DONE]``.

    Raises:
        InvalidEventError: An event is malformed or reports an error.
    """
    while line := stream.readline(_MAX_LINE_BYTES):
        field, _, value = line.strip().partition(b":")
        if field != b"data":
            continue
        if value.strip() == b"[DONE]":
            return
        try:
            event = parse_json(value, allow_nan=True)
        except ForeignDataError as error:
            raise InvalidEventError("sent an event that is not valid JSON") from error
        if not isinstance(event, dict):
            raise InvalidEventError("sent an event that is not a JSON object")
        if "error" in event:
            raise InvalidEventError("reported an error", quoted=str(event["error"]))
        yield event
