"""What a back end's context is spent on: the window, text from other files, and new tokens.

Called by the completer before each generation.
"""

import re
from dataclasses import replace

from server.backends.backend import Backend
from server.prompt.window import Budget, Window, stable_suffix, window_at
from server.settings import Settings, SuggestionSettings
from server.suggestion.extent import Extent
from server.workspace.snapshot import WorkspaceSnapshot

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEW_TOKENS_SHARE = 4  # new tokens take at most a quarter of the context
_SUFFIX_SHARE = 4  # the suffix gets a quarter of a window between two texts


def window_at_cursor(
    text: str,
    offset: int,
    workspace: WorkspaceSnapshot | None,
    settings: Settings,
    backend: Backend,
) -> Window:
    """Returns what the model sees for a suggestion.

    Args:
        text: The document; lines end with a line feed.
        offset: The cursor, in characters.
        workspace: What other files contribute; None for nothing.
        settings: The budgets.
        backend: Counts tokens.

    Raises:
        ArtifactError: The context is too short for the longest suggestion.
    """
    longest = longest_new_tokens(settings.suggestion, backend)
    room = backend.prompt_room(longest)
    context_settings = settings.context
    budget = Budget.within(
        room,
        prefix_tokens=context_settings.prefix_tokens,
        suffix_tokens=context_settings.suffix_tokens,
        step_lines=context_settings.step_lines,
    )
    window = window_at(text, offset, budget, lambda line: _count_tokens(line, backend))
    left = room - budget.prefix_tokens - budget.suffix_tokens
    left = min(context_settings.workspace_tokens, left)
    context = ""
    if workspace is not None and left > 0:
        context = workspace.context(left, lambda line: _count_tokens(line, backend))
    return _replace_surrogates(
        replace(window, suffix=stable_suffix(window.suffix), context=context)
    )


def window_between(prefix: str, suffix: str, max_new_tokens: int, backend: Backend) -> Window:
    """Returns what the model sees between two texts, as much as fits.

    Raises:
        ArtifactError: The context is too short for ``max_new_tokens``.
    """
    room = backend.prompt_room(max_new_tokens)
    suffix_tokens = room // _SUFFIX_SHARE if suffix.strip() else 0
    budget = Budget(prefix_tokens=room - suffix_tokens, suffix_tokens=suffix_tokens, step_lines=1)
    window = window_at(
        prefix + suffix, len(prefix), budget, lambda line: _count_tokens(line, backend)
    )
    return _replace_surrogates(window)


def max_new_tokens(extent: Extent, settings: SuggestionSettings, backend: Backend) -> int:
    """Returns the most tokens of a suggestion with this extent."""
    by_extent = {
        Extent.LINE: settings.max_line_tokens,
        Extent.BLOCK: settings.max_block_tokens,
        Extent.FUNCTION: settings.max_function_tokens,
    }
    return _limit_new_tokens(by_extent[extent], backend)


def longest_new_tokens(settings: SuggestionSettings, backend: Backend) -> int:
    """Returns the most tokens of any suggestion, for which every window leaves room."""
    return _limit_new_tokens(settings.longest_tokens, backend)


def _limit_new_tokens(wanted: int, backend: Backend) -> int:
    return min(wanted, backend.context_tokens // _NEW_TOKENS_SHARE)


def _count_tokens(line: str, backend: Backend) -> int:
    return backend.count_tokens(_SURROGATE.sub("\ufffd", line))


def _replace_surrogates(window: Window) -> Window:
    """Replaces halves of surrogate pairs, which no encoder accepts, one character for one."""
    return Window(
        prefix=_SURROGATE.sub("\ufffd", window.prefix),
        suffix=_SURROGATE.sub("\ufffd", window.suffix),
        context=_SURROGATE.sub("\ufffd", window.context),
    )
