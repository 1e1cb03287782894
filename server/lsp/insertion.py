"""Where a suggestion stands in a document, and what becomes of the document if it is taken."""

from dataclasses import dataclass

from lsprotocol import types

from server.lsp.documents.text_document import Document
from server.suggestion.request import CompletionResult
from training.artifact.code_reference import CodeReference


@dataclass(frozen=True, kw_only=True)
class Place:
    """A range of a document, in characters, and the text that stands for it."""

    start: int
    end: int
    chosen: str

    @classmethod
    def at(cls, offset: int) -> "Place":
        """A cursor alone."""
        return cls(start=offset, end=offset, chosen="")


@dataclass(frozen=True, kw_only=True)
class Offered:
    """What a document will be if its suggestion is taken, and where the cursor will stand."""

    text: str
    offset: int

    @classmethod
    def of(cls, document: Document, place: Place, result: CompletionResult) -> "Offered":
        """Of a document that has not changed since it was asked about."""
        before = document.text[: place.start] + place.chosen + result.text
        behind = document.text[place.end + result.covered :]
        return cls(text=before + behind, offset=len(before))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A suggestion in the protocol's terms.

    ``covered`` is the text that ``range`` replaces, ``source`` whose text it repeats.
    """

    text: str
    range: types.Range
    covered: str
    source: CodeReference | None = None
