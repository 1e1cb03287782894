"""Which requests are likely to come next, so that what they need is read while the user thinks.

A line end may move the window, also one after accepting what is shown. Typing within a line never
does, so nothing is read for it. Called by the worker after each answer.
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
    next_line = _break_line(request)
    if not suggestion.text:
        return [next_line]
    accepted = _after(request, suggestion.text, covered=suggestion.covered)
    is_block = "\n" in suggestion.text.strip("\n")
    return [accepted if is_block else _break_line(accepted), next_line]


def _break_line(request: CompletionRequest) -> CompletionRequest:
    """Returns the request after a line end, with the indentation of the line before."""
    indentation = _INDENTATION.match(request.before.rpartition("\n")[2])
    return _after(request, "\n" + (indentation.group() if indentation else ""), covered=0)


def _after(request: CompletionRequest, typed: str, *, covered: int) -> CompletionRequest:
    """Returns the request once a text was typed in place of ``covered`` characters."""
    text = request.before + typed + request.after[covered:]
    return replace(request, text=text, offset=request.offset + len(typed), n_wanted=1)
