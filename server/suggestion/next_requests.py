"""Which requests are likely to come next, so that what they need is read while the user thinks.

A line end may move the window, and so may accepting what is shown. Typing within a line never does,
so nothing is read for it. Called by the worker after each answer.
"""

import re
from dataclasses import replace

from server.suggestion.request import CompletionRequest
from server.suggestion.result import Suggestion

_INDENTATION = re.compile(r"[ \t]*")


def find_next_requests(
    request: CompletionRequest, suggestion: Suggestion
) -> list[CompletionRequest]:
    """Returns the requests that may follow one that was answered, the likeliest first."""
    line = request.before.rpartition("\n")[2]
    indentation = _INDENTATION.match(line)
    typed = "\n" + (indentation.group() if indentation else "")
    likely = [_after(request, typed, covered=0)]
    if "\n" in suggestion.text.strip("\n"):
        likely.insert(0, _after(request, suggestion.text, covered=suggestion.covered))
    return likely


def _after(request: CompletionRequest, typed: str, *, covered: int) -> CompletionRequest:
    """Returns the request once a text was typed in place of ``covered`` characters."""
    text = request.before + typed + request.after[covered:]
    return replace(request, text=text, offset=request.offset + len(typed), n_wanted=1)
