"""Where a suggestion goes: from a position to offsets of the document, and back to a range."""

from dataclasses import dataclass

from lsprotocol import types

from server.lsp.documents.text_document import TextDocument
from server.suggestion.result import CompletionResult
from training.artifact.code_reference import CodeReference

_MAX_WORD_CHARS = 256


@dataclass(frozen=True, kw_only=True)
class InsertionPoint:
    """The cursor, or the text that the selected item of the editor's list would replace.

    ``start`` and ``end`` are offsets in characters; ``selected_text`` is what that item inserts.
    """

    start: int
    end: int
    selected_text: str

    @classmethod
    def at(
        cls,
        document: TextDocument,
        position: types.Position,
        selected: types.SelectedCompletionInfo | None,
    ) -> "InsertionPoint":
        """Returns the insertion point of a position."""
        offset = document.offset_at(position.line, position.character)
        if selected is not None:
            start, end = (
                document.offset_at(at.line, at.character)
                for at in (selected.range.start, selected.range.end)
            )
            if start <= offset <= end:  # else it is not at the cursor
                return cls(start=start, end=end, selected_text=selected.text)
        return cls(start=offset, end=offset, selected_text="")


@dataclass(frozen=True, kw_only=True)
class AcceptedText:
    """What a document will be once its suggestion is accepted, and where the cursor will be."""

    text: str
    offset: int

    @classmethod
    def of(
        cls, document: TextDocument, point: InsertionPoint, result: CompletionResult
    ) -> "AcceptedText":
        """Returns what accepting a result makes of the document that was completed."""
        inserted = point.selected_text + result.suggestion.text
        if "\n" in inserted and "\r\n" in document.text:  # the editor inserts its own line ends
            inserted = inserted.replace("\r\n", "\n").replace("\n", "\r\n")
        before = document.text[: point.start] + inserted
        after = document.text[point.end + result.suggestion.covered :]
        return cls(text=before + after, offset=len(before))


@dataclass(frozen=True, kw_only=True)
class SuggestedEdit:
    """A suggestion in the protocol's terms.

    Attributes:
        text: What to insert.
        range: What it replaces.
        word: What stands right before the range, from the beginning of the word on.
        word_start: Where that is.
        source: Whose text it repeats, if anybody's.
    """

    text: str
    range: types.Range
    word: str
    word_start: types.Position
    source: CodeReference | None = None

    @classmethod
    def all_of(
        cls, document: TextDocument, point: InsertionPoint, result: CompletionResult
    ) -> "list[SuggestedEdit]":
        """Returns a result's suggestion and its alternatives, the best first."""
        edits = []
        word = _find_word(document.text, point.start)
        word_start = types.Position(*document.position_of(point.start - len(word)))
        for suggestion in (result.suggestion, *result.alternatives):
            start, end = document.positions_of(point.start, point.end + suggestion.covered)
            edits.append(
                cls(
                    text=point.selected_text + suggestion.text,
                    range=types.Range(start=types.Position(*start), end=types.Position(*end)),
                    word=word,
                    word_start=word_start,
                    source=suggestion.source,
                )
            )
        return edits


def _find_word(text: str, end: int) -> str:
    """Returns the word that ends at an offset: a name, or the digits of a number; "" for none."""
    start = end
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
        if end - start > _MAX_WORD_CHARS:  # data, which nobody completes
            return ""
    return text[start:end]
