"""A typist's session, counted in tokens: after which keys much has to be read."""

import pytest

from server.backends import own_text
from server.completer import Completer
from server.engine.generation_request import RereadReason
from server.memory.token_memory import TokenMemory
from server.settings import ContextSettings, EngineSettings, Settings
from server.suggestion.next_requests import find_next_requests
from server.suggestion.request import CompletionRequest
from server.suggestion.result import Suggestion
from server.workspace.snapshot import WorkspaceSnapshot
from server.workspace.sources.token_index import build_token_index

FEW_TOKENS = 16
REST = "\n\n\nLAST = 1\n"


@pytest.fixture
def completer(tiny_artifact):
    settings = Settings(
        context=ContextSettings(
            prefix_tokens=90, suffix_tokens=40, step_lines=4, workspace_tokens=60
        ),
        engine=EngineSettings(precision="float32", threads=1, chunk_tokens=32),
    )
    return Completer.load(tiny_artifact, settings)


def press(completer, request):
    """Completes, but is overtaken by the next key after three steps; returns what it cost."""
    steps = iter([False] * 6)
    result = completer.complete(request, lambda: next(steps, True))
    return result.usage


def never():
    return False


def keys(text, *, first, n, step=1):
    for end in range(first, first + n, step):
        yield CompletionRequest(text=text[:end] + REST, offset=end)


def test_no_key_reads_a_prompt_anew_while_lines_are_typed(completer, known_module):
    """If it fails, the window's move makes each sixteenth line end five times as slow."""
    first, n = known_module.index("import math"), 400
    worst = {}
    for reads_ahead in (False, True):
        completer.read_ahead(CompletionRequest(text=REST, offset=0), never)
        computed, reasons = [], set()
        for request in keys(known_module, first=first, n=n, step=4):
            usage = press(completer, request)
            computed.append(usage.computed_tokens)
            reasons.add(usage.reread)
            for likely in find_next_requests(request, Suggestion()) if reads_ahead else ():
                completer.read_ahead(likely, never)
        worst[reads_ahead] = max(computed[1:])
        if not reads_ahead:
            assert RereadReason.WINDOW_MOVED in reasons
    assert worst[False] > 40
    assert worst[True] <= FEW_TOKENS


def test_no_key_indexes_the_text_that_the_window_leaves_out(completer, known_module, monkeypatch):
    """If it fails, keys in a long file wait for that after each move of the window."""
    indexed = []

    def count(files, tokenizer):
        indexed.append(files)
        return build_token_index(files, tokenizer)

    monkeypatch.setattr(own_text, "build_token_index", count)
    completer.memory = TokenMemory([])
    n_by_keys = 0
    for request in keys(known_module, first=known_module.index("import math"), n=400, step=4):
        before = len(indexed)
        press(completer, request)
        n_by_keys += len(indexed) - before
        for likely in find_next_requests(request, Suggestion()):
            completer.read_ahead(likely, never)
    assert n_by_keys == 1 < len(indexed)  # the first one


def test_a_key_after_a_jump_reads_little_where_the_cursor_has_rested(completer, known_module):
    """If it fails, the first key at each other place waits for the whole prompt."""
    places = [known_module.index(word) for word in ("radius: float", "total = 0.0", "math.pi")]
    for place in places:
        here = CompletionRequest(text=known_module, offset=place)
        assert completer.read_ahead(here, never) > FEW_TOKENS
        typed = known_module[:place] + "n" + known_module[place:]
        usage = press(completer, CompletionRequest(text=typed, offset=place + 1))
        assert usage.computed_tokens <= FEW_TOKENS
    for place in places:  # and back: none was lost
        assert completer.read_ahead(CompletionRequest(text=known_module, offset=place), never) == 0


def test_a_key_after_other_excerpts_were_collected_reads_little(completer, known_module):
    """If it fails, the key after each look at the workspace waits for the whole prompt."""
    first = known_module.index("total += ")
    here, after = keys(known_module, first=first, n=2)
    press(completer, here)
    snapshot = WorkspaceSnapshot(context_text="# other.py\ndef area(self): ...\n")
    changed = CompletionRequest(text=here.text, offset=here.offset, workspace=snapshot)
    completer.read_ahead(changed, never)
    after = CompletionRequest(text=after.text, offset=after.offset, workspace=snapshot)
    assert press(completer, after).computed_tokens <= FEW_TOKENS


def test_line_ends_keep_the_indentation_and_a_block_is_accepted():
    request = CompletionRequest(text="if a:\r\n    b)", offset=12, document="u")
    block = Suggestion(text="\n    c\nd", covered=1)
    accepted, line = find_next_requests(request, block)
    assert (accepted.text, accepted.offset) == ("if a:\r\n    b\n    c\nd", 20)
    assert (line.text, line.offset, line.document) == ("if a:\r\n    b\n    )", 17, "u")
    one_line, _ = find_next_requests(request, Suggestion(text="c", covered=1))
    assert (one_line.text, one_line.offset) == ("if a:\r\n    bc\n    ", 18)
    assert len(find_next_requests(request, Suggestion())) == 1
