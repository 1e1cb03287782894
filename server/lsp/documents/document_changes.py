"""Reads what clients send about their documents' texts, as leniently as its meaning allows.

pygls refuses a change with ``"range": null`` and many others, and a refused change leaves a text
that no editor shows any more. Here null means absent, and what cannot be understood is an error,
after which the document's text is unknown. Versions are not read: messages arrive in the order in
which they were sent, and many clients count in a way of their own.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from server.lsp.documents.text_document import Edit

T = TypeVar("T")

MAX_POSITION = (1 << 31) - 1  # as the protocol defines it; more means the end, too


class MalformedChangeError(ValueError):
    """A message about a document that cannot be understood."""


@dataclass(frozen=True, kw_only=True)
class OpenedText:
    """A document that was opened; ``text`` is None if it was not understood."""

    uri: str
    text: str | None


@dataclass(frozen=True, kw_only=True)
class TextChange:
    """Changes of one document in order, each an edit or the new text.

    ``edits`` is None if they were not understood.
    """

    uri: str
    edits: tuple[Edit | str, ...] | None


def read_opened(item: Any) -> OpenedText:
    """Reads a ``TextDocumentItem``.

    Raises:
        MalformedChangeError: It does not say which document it is about.
    """
    text = item.get("text") if isinstance(item, dict) else None
    return OpenedText(uri=read_uri(item), text=text if isinstance(text, str) else None)


def read_change(identifier: Any, changes: Any) -> TextChange:
    """Reads a document's identifier and its ``contentChanges``.

    Raises:
        MalformedChangeError: It does not say which document it is about.
    """
    edits: tuple[Edit | str, ...] | None
    try:
        edits = tuple(map(_read_edit, _require(changes, list)))
    except MalformedChangeError:
        edits = None
    return TextChange(uri=read_uri(identifier), edits=edits)


def read_uri(identifier: Any) -> str:
    """Returns the URI of anything that has one.

    Raises:
        MalformedChangeError: It has none.
    """
    return _require(_require(identifier, dict).get("uri"), str)


def read_number(value: Any) -> int:
    """Returns a whole number that is not negative; clients in Lua or C# may write it as 3.0.

    Raises:
        MalformedChangeError: It is something else.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MalformedChangeError("not a whole number")
    return min(value, MAX_POSITION)


def get_field(value: Any, key: str) -> Any:
    """Returns a field of an object; None if there is no such field, or no object."""
    return value.get(key) if isinstance(value, dict) else None


def read_place(given: Any) -> tuple[str | None, tuple[int, int] | None]:
    """Returns the document and the position that a ``TextDocumentPositionParams`` names.

    Each is None where it is not given; ``uri`` may stand alone, too.
    """
    uri = get_field(given, "uri") or get_field(get_field(given, "textDocument"), "uri")
    try:
        position = _read_position(get_field(given, "position"))
    except MalformedChangeError:
        position = None
    return (uri if isinstance(uri, str) else None), position


def clamp_positions(params: Any) -> None:
    """Lowers the numbers of a completion request's positions to the largest that pygls accepts."""
    selected = get_field(get_field(params, "context"), "selectedCompletionInfo")
    range_ = get_field(selected, "range")
    for position in (
        get_field(params, "position"),
        get_field(range_, "start"),
        get_field(range_, "end"),
    ):
        for key in ("line", "character"):
            number = get_field(position, key)
            if isinstance(number, (int, float)) and number > MAX_POSITION:
                position[key] = MAX_POSITION


def _read_edit(change: Any) -> Edit | str:
    text = _require(_require(change, dict).get("text"), str)
    where = change.get("range")
    if where is None:
        return text
    start, end = (_read_position(_require(where, dict).get(name)) for name in ("start", "end"))
    if start > end:
        raise MalformedChangeError("a range that ends before it starts")
    return Edit(start=start, end=end, text=text)


def _read_position(value: Any) -> tuple[int, int]:
    position = _require(value, dict)
    return read_number(position.get("line")), read_number(position.get("character"))


def _require(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise MalformedChangeError(f"not a {kind.__name__}")
    return value
