"""Type-through: text typed as suggested needs no new suggestion, only the rest of the last one.

It remembers each document's last suggestion and the request that it answered. It compares texts
and never runs the model. Called by the completer before anything else.
"""

from collections import OrderedDict
from dataclasses import replace

from server.suggestion.request import CompletionRequest
from server.suggestion.result import Suggestion

_MAX_DOCUMENTS = 16


class TypeThrough:
    """The last suggestion of each document."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, tuple[CompletionRequest, Suggestion]] = OrderedDict()

    def rest(self, request: CompletionRequest) -> Suggestion | None:
        """Returns what is still to be typed of the last suggestion, None if it no longer fits."""
        shown, suggestion = self._shown.get(request.document, (None, None))
        if shown is None or suggestion is None or request.after != shown.after:
            return None
        before, shown_before = request.before, shown.before
        typed = before[len(shown_before) :]
        if not typed or not before.startswith(shown_before):
            return None
        rest = suggestion.text[len(typed) :]
        if not suggestion.text.startswith(typed) or not rest.strip():
            return None
        if rest == request.after[: suggestion.covered]:  # it is there already
            return None
        return replace(suggestion, text=rest, rules=(), log_prob=0.0)

    def find_accepted(self, request: CompletionRequest) -> str | None:
        """Returns the last suggestion with its line's beginning if the text now contains it."""
        shown, suggestion = self._shown.get(request.document, (None, None))
        if shown is None or suggestion is None:
            return None
        if not request.before.startswith(shown.before + suggestion.text):
            return None
        return shown.before.rpartition("\n")[2] + suggestion.text

    def forget(self, *, only_known: bool = False) -> None:
        """Forgets what documents show.

        Args:
            only_known: Only what another file of the workspace made likely.
        """
        for document, (_, suggestion) in list(self._shown.items()):
            if not only_known or suggestion.known_from is not None:
                del self._shown[document]

    def remember(self, request: CompletionRequest, suggestion: Suggestion) -> None:
        """Records what the document shows now; an empty suggestion means nothing."""
        self._shown.pop(request.document, None)
        if suggestion.text:
            self._shown[request.document] = (request, suggestion)
            while len(self._shown) > _MAX_DOCUMENTS:
                self._shown.popitem(last=False)
