"""What a context is spent on: the window first, other files with what is left."""

from types import SimpleNamespace

import pytest

from server.backends.context_budget import max_new_tokens, window_at_cursor, window_between
from server.settings import ContextSettings, Settings, SuggestionSettings
from server.suggestion.extent import Extent
from server.workspace.snapshot import WorkspaceSnapshot

SNAPSHOT = WorkspaceSnapshot(context_text="".join(f"name_{i} = {i}\n" for i in range(50)))


def backend_of(context_tokens):
    return SimpleNamespace(
        context_tokens=context_tokens,
        prompt_room=lambda n_new: context_tokens - n_new,
        count_tokens=lambda line: len(line.encode().split()) + 1,
    )


def count(text):
    return sum(len(line.split()) + 1 for line in text.splitlines(keepends=True))


@pytest.mark.parametrize("context_tokens", [200, 600, 4096])
def test_other_files_get_what_the_window_leaves(context_tokens):
    """If it fails, the prompt overflows the context, or the user's own file is cut for others."""
    settings = Settings(
        context=ContextSettings(prefix_tokens=200, suffix_tokens=100, workspace_tokens=80)
    )
    text = "a = 1\n" * 300
    place = (text, 900)
    alone = window_at_cursor(*place, None, settings, backend_of(context_tokens))
    window = window_at_cursor(*place, SNAPSHOT, settings, backend_of(context_tokens))
    assert (window.prefix, window.suffix) == (alone.prefix, alone.suffix)
    assert alone.context == ""
    assert count(window.context) <= 80
    longest = max_new_tokens(Extent.FUNCTION, settings.suggestion, backend_of(context_tokens))
    used = count(window.context + window.prefix) + count(window.suffix)
    assert used <= context_tokens - longest
    assert bool(window.context) == (context_tokens > 200)  # else nothing is left
    assert SNAPSHOT.context_text.endswith(window.context)


def test_halves_of_surrogate_pairs_are_replaced_one_for_one():
    """If it fails, a broken emoji anywhere in a file stops all suggestions in it."""
    snapshot = WorkspaceSnapshot(context_text="\udc00\n")
    window = window_at_cursor("a\ud800b\udfffc", 3, snapshot, Settings(), backend_of(4096))
    assert (window.prefix, window.suffix) == ("a\ufffdb", "\ufffdc")
    assert window.context == "\ufffd\n"
    assert window_between("\ud800", "\udfff", 8, backend_of(512)).prefix == "\ufffd"


def test_new_tokens_never_take_more_than_a_quarter_of_the_context():
    settings = SuggestionSettings(max_line_tokens=32, max_block_tokens=96)
    assert max_new_tokens(Extent.LINE, settings, backend_of(4096)) == 32
    assert max_new_tokens(Extent.BLOCK, settings, backend_of(200)) == 50


@pytest.mark.parametrize("suffix", ["", " \n"])
def test_without_text_after_it_a_prefix_gets_the_whole_window(suffix):
    prefix = "x = 1\n" * 200
    room = 400 - 40
    window = window_between(prefix, suffix, 40, backend_of(400))
    assert window.suffix == ""
    assert room - 2 * 4 <= count(window.prefix) + room // 4 <= room + room // 4
    both = window_between(prefix, "y = 1\n" * 200, 40, backend_of(400))
    assert count(both.prefix) < count(window.prefix)
    assert 0 < count(both.suffix) <= room // 4
