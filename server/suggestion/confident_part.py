"""The part of an unlikely line that is likely: up to where the model is no longer sure.

A line is as likely as all of its tokens together, so a long one is rarely likely enough, although
its first names may be next to certain. Called by :mod:`server.suggestion.postprocessing`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate

from server.engine.generation_request import FinishReason, GeneratedSequence
from server.suggestion.confidence import count_first_line
from server.suggestion.cursor_context import is_word

MAX_PARTS = 6
_ENDS = ")]}\"'"  # what a part may end with besides a name or a number
_NUMBER = re.compile(r"(?<!\w)\d\w*\Z")


def list_confident_parts(
    sequence: GeneratedSequence, is_confident: Callable[[float], bool]
) -> Iterator[GeneratedSequence]:
    """Yields beginnings of the first line that are likely enough, the longest first.

    They end with a whole name, number, bracket or text, which the next token shows.

    Args:
        sequence: What was generated.
        is_confident: Whether a text of this log-probability, in nats, is likely enough.
    """
    n_tokens = count_first_line(sequence.text, sequence.ends)
    sums = list(accumulate(sequence.log_probs[:n_tokens]))
    n_found = 0
    for n in range(n_tokens - 1, 0, -1):
        if n_found == MAX_PARTS:
            return
        if is_confident(sums[n - 1]) and _is_boundary(sequence.text, sequence.ends[n - 1]):
            n_found += 1
            yield replace(
                sequence,
                ids=sequence.ids[:n],
                text=sequence.text[: sequence.ends[n - 1]],
                ends=sequence.ends[:n],
                log_probs=sequence.log_probs[:n],
                gains=sequence.gains[:n],
                finish_reason=FinishReason.COMPLETE,
            )


def _is_boundary(text: bytes, end: int) -> bool:
    """Returns whether a name, a number, a bracket or a text ends here, and none goes on."""
    shown = text[:end].decode("utf-8", "replace")
    before = shown[-1:]
    after = text[end:].decode("utf-8", "replace")[:1]
    is_end = bool(before) and (before in _ENDS or is_word(before))
    is_cut = is_word(after) or (after == "." and _NUMBER.search(shown) is not None)
    return is_end and bool(after) and not is_cut
