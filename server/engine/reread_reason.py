"""Finds out why much of a prompt has to be read: what differs from the one that was read before.

For the event log, by which the slowest requests are explained. It changes nothing. Called by the
decoder.
"""

from array import array
from collections.abc import Sequence

from server.engine.generation_request import Prompt, RereadReason
from server.engine.kv_cache import CachedPrompt, common_length

_FEW_TOKENS = 32  # are read as quickly as a token is generated
_SAME_LINES_TOKENS = 12  # that two windows have in common if one of them moved
_EDGE_TOKENS = 6  # at the start of a window, where the line end before is not in view
_TYPECODE = "I"


def find_reread_reason(prompt: Prompt, closest: CachedPrompt) -> RereadReason | None:
    """Returns the reason, None if only a little has to be read.

    Args:
        prompt: What is to be read.
        closest: The cache that shares the most with it, as it is before the prompt is read.
    """
    n_shared = common_length(closest.ids, prompt.ids)
    if len(prompt.ids) - n_shared < _FEW_TOKENS:
        return None
    before = closest.prompt
    if before is None or not closest.ids:
        return RereadReason.NOTHING_READ
    if n_shared == len(closest.ids) < common_length(before.ids, prompt.ids):
        return RereadReason.NOT_FINISHED
    lines, lines_before = _prefix(prompt), _prefix(before)
    n_alike = common_length(lines, lines_before)
    if n_alike >= min(_SAME_LINES_TOKENS, len(lines)):
        if _head(prompt) != _head(before):
            is_near = 2 * n_alike >= len(lines)
            return RereadReason.SUFFIX_CHANGED if is_near else RereadReason.OTHER_PLACE
        is_same_context = _context(prompt) == _context(before)
        return RereadReason.TEXT_CHANGED if is_same_context else RereadReason.CONTEXT_CHANGED
    if _begins_in(lines, lines_before) or _begins_in(lines_before, lines):
        return RereadReason.WINDOW_MOVED
    return RereadReason.OTHER_PLACE


def _head(prompt: Prompt) -> list[int]:
    return list(prompt.ids[: prompt.n_head])


def _context(prompt: Prompt) -> list[int]:
    return list(prompt.ids[prompt.n_head : prompt.n_head + prompt.n_context])


def _prefix(prompt: Prompt) -> list[int]:
    return list(prompt.ids[prompt.n_head + prompt.n_context :])


def _begins_in(ids: Sequence[int], others: Sequence[int]) -> bool:
    """Returns whether the first of ``ids``, apart from the edge, occur in ``others``."""
    first = array(_TYPECODE, ids[_EDGE_TOKENS : _EDGE_TOKENS + _SAME_LINES_TOKENS]).tobytes()
    return bool(first) and first in array(_TYPECODE, others).tobytes()
