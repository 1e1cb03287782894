"""Typing through a suggestion: what is typed as suggested needs no new one, only the rest.

Remembers for each document what was shown last and where. Pure bookkeeping of texts; it asks no
model. Called by the completer, before anything else.
"""

from collections import OrderedDict
from dataclasses import dataclass

from training.artifact.code_reference import CodeReference

_MOST_DOCUMENTS = 16


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A suggestion, and the texts around the cursor for which it was made."""

    before: str
    behind: str
    text: str
    covered: int
    confidence: float
    source: CodeReference | None = None

    def rest(self, before: str, behind: str) -> str:
        """Returns what is left of it for the texts around the cursor now; nothing if it is gone."""
        if behind != self.behind or not before.startswith(self.before):
            return ""
        typed = before[len(self.before) :]
        return self.text[len(typed) :] if typed and self.text.startswith(typed) else ""


class TypingThrough:
    """What was shown last in each document."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, Shown] = OrderedDict()

    def rest(self, document: str, before: str, behind: str) -> Shown | None:
        """Returns what is not yet typed of the last suggestion, None if nothing of it holds."""
        shown = self._shown.get(document)
        left = "" if shown is None else shown.rest(before, behind)
        if shown is None or not left.strip():
            return None
        return Shown(
            before=before,
            behind=behind,
            text=left,
            covered=shown.covered,
            confidence=shown.confidence,
            source=shown.source,
        )

    def last(self, document: str) -> Shown | None:
        """Returns what was shown last in a document."""
        return self._shown.get(document)

    def remember(self, document: str, shown: Shown | None) -> None:
        """Takes down what is shown in a document now, or that nothing is."""
        self._shown.pop(document, None)
        if shown is not None:
            self._shown[document] = shown
            while len(self._shown) > _MOST_DOCUMENTS:
                self._shown.popitem(last=False)
