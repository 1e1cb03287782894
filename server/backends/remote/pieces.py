"""What a server streams, cut into pieces: tokens with their alternatives where the server tells."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.foundation.foreign_text import encode_text


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A token, or several that arrived together.

    Attributes:
        text: Its bytes; none for a special token.
        log_prob: In nats; None if the server does not tell.
        likeliest: Log-probabilities of the likeliest tokens in its place, by their bytes.
    """

    text: bytes
    log_prob: float | None = None
    likeliest: Mapping[bytes, float] = field(default_factory=dict)


def list_choices(event: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yields the choices in an event, each with the number of its sequence."""
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(choice.get("text"), str):
            index = choice.get("index", 0)
            if isinstance(index, int) and index >= 0:
                yield index, choice


def read_pieces(choice: Mapping[str, Any]) -> list[Piece]:
    """Returns the pieces of a choice; one without text is a special token that ended the text."""
    text: str = choice["text"]
    details = choice.get("logprobs")
    details = details if isinstance(details, Mapping) else {}
    tokens, values = _as_list(details.get("tokens")), _as_list(details.get("token_logprobs"))
    tops = _as_list(details.get("top_logprobs"))
    if not text:
        values = values[:1] if choice.get("finish_reason") == "stop" else []
        return [Piece(text=b"", log_prob=_as_number(value)) for value in values]
    is_split = len(tokens) == len(values) and all(isinstance(token, str) for token in tokens)
    if is_split and "".join(tokens) == text:
        return [
            Piece(
                text=encode_text(token),
                log_prob=_as_number(value),
                likeliest=_read_likeliest(tops[at] if at < len(tops) else None),
            )
            for at, (token, value) in enumerate(zip(tokens, values, strict=True))
        ]
    known = [number for value in values if (number := _as_number(value)) is not None]
    first = _read_likeliest(tops[0]) if tops else {}
    return [Piece(text=encode_text(text), log_prob=sum(known) if known else None, likeliest=first)]


def _read_likeliest(values: Any) -> dict[bytes, float]:
    if not isinstance(values, Mapping):
        return {}
    pairs = ((token, _as_number(value)) for token, value in values.items())
    return {encode_text(token): value for token, value in pairs if value is not None and token}


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _as_number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
