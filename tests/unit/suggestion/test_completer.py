"""Text in, completions out, with a model that knows one module by heart."""

import argparse
import dataclasses
import math
from pathlib import Path

import pytest

from server.backends.local_model import LocalModel
from server.completer import Completer
from server.engine.generation_request import (
    FinishReason,
    GeneratedSequence,
    GenerationResult,
    TokenUsage,
)
from server.memory.token_memory import TokenMemory
from server.settings import ContextSettings, EngineSettings, Settings, SuggestionSettings
from server.suggestion.explanation import ATTRIBUTED, SUPERSEDED
from server.suggestion.request import CompletionRequest
from training.artifact.code_reference import CodeReference
from training.artifact.directory import load_artifact
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ArtifactError, ConfigError

MAX_COMPUTED_TOKENS = 16


@pytest.fixture(scope="module")
def completer(tiny_artifact):
    settings = Settings(
        context=ContextSettings(prefix_tokens=250, suffix_tokens=100),
        engine=EngineSettings(precision="float32", threads=1),
    )
    return Completer.load(tiny_artifact, settings)


def at(text, behind, *, without=""):
    """A request right after ``behind``, where ``without`` has not been typed yet."""
    offset = text.index(behind) + len(behind)
    assert text[offset:].startswith(without)
    return CompletionRequest(text=text[:offset] + text[offset + len(without) :], offset=offset)


@pytest.mark.parametrize(
    ("behind", "without"),
    [
        ("return math.", "pi * self.radius**2"),
        ("def peri", "meter(self) -> float:"),
        ('length of its boundary."""\n        ', "return 2 * math.pi * self.radius"),
        ("total = 0.0\n    ", "for circle in circles:"),
    ],
)
def test_known_text_is_completed_wherever_the_cursor_is(completer, known_module, behind, without):
    """If it fails, the server's prompt differs from training's layout."""
    result = completer.complete(at(known_module, behind, without=without))
    assert without.startswith(result.suggestion.text)
    assert len(result.suggestion.text) > len(without) / 2
    assert -1 < result.suggestion.log_prob < 0
    assert result.suggestion.confidence == pytest.approx(math.exp(result.suggestion.log_prob))


def test_without_healing_a_cursor_within_a_token_is_lost(tiny_artifact, known_module):
    """The ablation: healing must be what makes the difference, and exact with a warm cache.

    Places in every line of code, as the line is typed: the rest of the line is known by heart.
    """
    right = {0: 0, 6: 0}
    n_places = 0
    body = known_module.index("import math")
    places = [
        (start + n, line)
        for start, line in _lines_from(known_module, body)
        for n in range(1, len(line))
        if line[:n].strip() and line[n:].strip()
    ]
    for heal_tokens in right:
        settings = Settings(
            context=ContextSettings(prefix_tokens=250, suffix_tokens=100),
            suggestion=SuggestionSettings(eagerness="always", extent="line"),
            engine=EngineSettings(precision="float32", threads=1, heal_tokens=heal_tokens),
        )
        warm = Completer.load(tiny_artifact, settings)
        n_places = len(places[::6])
        for number, (offset, _) in enumerate(places[::6]):
            end = known_module.index("\n", offset)
            text = known_module[:offset] + known_module[end:]
            request = CompletionRequest(text=text, offset=offset)
            result = warm.complete(request)
            right[heal_tokens] += result.suggestion.text == known_module[offset:end]
            if number % 20 == 0:
                fresh = Completer.load(tiny_artifact, settings).complete(request)
                assert (fresh.suggestion.text, fresh.suggestion.log_prob) == (
                    result.suggestion.text,
                    pytest.approx(result.suggestion.log_prob, abs=1e-4),
                )
    assert right[6] > 0.6 * n_places
    assert right[6] > 1.5 * right[0]


def _lines_from(text, start):
    while start < len(text):
        end = text.find("\n", start)
        yield start, text[start:end]
        start = end + 1


def test_a_body_is_completed_to_its_end(completer, known_module):
    """If it fails, a function's body is suggested line by line, or runs on."""
    behind = '"""Return the sum of all areas."""\n'
    prefix = known_module[: known_module.index(behind) + len(behind)]
    result = completer.complete(CompletionRequest(text=prefix, offset=len(prefix)))
    assert prefix + result.suggestion.text + "\n" == known_module


def test_typing_a_real_file_recomputes_few_tokens(completer):
    """Each key must cost a handful of tokens, or ghost text lags behind typing."""
    text = Path(argparse.__file__).read_text(encoding="utf-8")
    first, n_keys = text.index("class HelpFormatter"), 400
    rest = text[first + n_keys :]
    computed, lines = [], []
    for n in range(n_keys):
        typed = text[: first + n]
        request = CompletionRequest(text=typed + "\n" + rest, offset=len(typed))
        asked = iter([False] * 3)  # typing is faster than a whole suggestion
        result = completer.complete(request, lambda asked=asked: next(asked, True))
        computed.append(result.usage.computed_tokens)
        lines.append(typed.count("\n"))
    extends_line = [c for c, a, b in zip(computed[1:], lines, lines[1:], strict=False) if a == b]
    assert max(extends_line) <= MAX_COMPUTED_TOKENS
    assert sum(extends_line) / len(extends_line) < 4


def test_every_place_of_hostile_text_has_an_answer(completer):
    """Whatever a file contains, the editor gets an answer that is valid text."""
    text = 'x = "\ud835\r\n\t😋\x00\x0c\r)\n\n\n<|endoftext|>(\n' + "é" * 3000 + "\n"
    for offset in [*range(44), len(text) - 1500, len(text)]:
        result = completer.complete(CompletionRequest(text=text, offset=offset))
        result.suggestion.text.encode()
        assert offset + result.suggestion.covered <= len(text)
        assert (result.reason is None) == bool(result.suggestion.text)
    with pytest.raises(ValueError, match="offset"):
        completer.complete(CompletionRequest(text="", offset=1))


def test_only_a_request_that_needs_the_model_waits_for_a_pause(completer, known_module):
    """If it fails, ghost text flickers while it is typed, or the model runs for every key."""
    offset = known_module.index("return math.") + len("return math.")
    text, waits = known_module[:offset], []

    def wait_for_pause():
        waits.append(len(waits))
        return waits[-1] != 1  # superseded while the second one waits

    def complete(typed):
        request = CompletionRequest(text=text + typed, offset=offset + len(typed), document="w")
        return completer.complete(request, wait_for_pause=wait_for_pause)

    first = complete("").suggestion.text
    assert (len(waits), bool(first)) == (1, True)
    assert complete(first[:1]).is_rest
    assert len(waits) == 1
    superseded = complete("zz")
    assert (superseded.reason, superseded.usage.prompt_tokens) == (SUPERSEDED, 0)
    assert complete(first[:2]).is_rest  # the suggestion is still the last one
    assert len(waits) == 2


class BorrowingModel(LocalModel):
    """Draws these texts for those who want another suggestion, and knows whose they are."""

    drawn = ("pi", "pi", "pi", "tau", "tau", "e")
    owners = {"pi": "a.py", "e": "b.py"}  # noqa: RUF012 - a constant

    def generate(self, window, request, lookup_texts=(), memory=None):
        if request.n_sequences == 1:
            return super().generate(window, request, lookup_texts, memory)
        return GenerationResult(
            sequences=[
                GeneratedSequence(text=text.encode(), finish_reason=FinishReason.COMPLETE)
                for text in self.drawn
            ],
            usage=TokenUsage(),
        )

    def find_source(self, head, text, document, memory):
        assert head.endswith("return math.")
        path = self.owners.get(text)
        return path and CodeReference(package="p", path=path, licence="MIT", n_tokens=60)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("allow", {"pi": None, "tau": None}),
        ("mark", {"pi": "a.py", "tau": None}),
        ("block", {"tau": None}),  # since "e" is somebody's, too
    ],
)
def test_alternatives_are_attributed_like_the_suggestion_shown(
    tiny_artifact, known_module, policy, expected
):
    """If it fails, Alt+] shows somebody's code without a name, or what the user has blocked."""
    suggesting = SuggestionSettings(eagerness="always", attribution=policy)
    settings = Settings(suggestion=suggesting, engine=EngineSettings(threads=1))
    model = BorrowingModel(load_artifact(tiny_artifact), settings.engine)
    request = at(known_module, "return math.", without="pi * self.radius**2")
    result = Completer(model, settings).complete(dataclasses.replace(request, n_wanted=3))
    assert (result.suggestion.text, result.reason) == ("pi * self.radius**2", None)
    sources = {s.text: s.source and s.source.path for s in result.alternatives}
    assert sources == expected
    model.owners = {"pi * self.radius**2": "a.py"}
    blocked = Completer(model, settings).complete(dataclasses.replace(request, n_wanted=3))
    if policy == "block":
        assert (blocked.suggestion.text, blocked.reason) == ("", ATTRIBUTED)
        assert blocked.alternatives == ()


def test_generation_is_greedy_at_zero_and_seeded_above(completer, known_module):
    """pass@k needs the same samples for the same seed, however many are drawn."""
    prefix = known_module[: known_module.index("radius: float")]

    def draw(n, temperature, seed=1):
        return completer.generate(
            prefix, n=n, max_new_tokens=12, temperature=temperature, top_p=0.95, seed=seed
        )

    assert draw(3, 0.0) == draw(1, 0.0) * 3
    assert draw(20, 2.5) == [*draw(20, 2.5)]
    assert draw(2, 2.5) == draw(20, 2.5)[:2]
    assert draw(20, 2.5) != draw(20, 2.5, seed=2)
    assert draw(1, 0.0)[0].startswith("radius: float")


def test_generation_ends_before_a_stop_string(completer, known_module):
    """A program that runs on into the next function is judged wrong."""
    prefix = known_module[: known_module.index("total = 0.0")]
    (text,) = completer.generate(
        prefix, n=1, max_new_tokens=60, temperature=0.0, top_p=1.0, seed=0, stop=["\n    for", "@"]
    )
    assert text == "total = 0.0"


def test_a_long_prompt_loses_its_beginning_only(completer, known_module):
    """A problem longer than the context must still be completed at its end."""
    end = known_module[: known_module.index("pi * self.radius**2")]

    def follow(n_lines):
        prefix = "# a line like all the others\n" * n_lines + end
        return completer.generate(prefix, n=1, max_new_tokens=8, temperature=0.0, top_p=1.0, seed=0)

    assert follow(500) == follow(900) != [""]
    with pytest.raises(ArtifactError, match="leaves no room for 500 new tokens"):
        completer.generate("x", n=1, max_new_tokens=500, temperature=0.0, top_p=1.0, seed=0)


def test_settings_are_read_strictly_and_survive_a_round_trip():
    """A typo in a setting must not be taken for the default."""
    assert from_mapping(Settings, to_mapping(Settings()), where="x") == Settings()
    with pytest.raises(ConfigError, match="max_line_tokens"):
        from_mapping(Settings, {"suggestion": {"max_line_token": 3}}, where="x")
    with pytest.raises(ConfigError, match="chunk_tokens is 0, expected 1 to"):
        from_mapping(Settings, {"engine": {"chunk_tokens": 0}}, where="x")


def test_a_memory_knows_the_document_beyond_the_window(tiny_artifact):
    """If it fails, a long file is completed as if its beginning were not there."""
    model = LocalModel(load_artifact(tiny_artifact), EngineSettings(threads=1))
    memory = TokenMemory([])
    ids = model._tokenizer.encode("alpha_beta_gamma")
    assert not memory.knows(ids)
    texts = ("alpha_beta_gamma = 1\n", "PASSWORD = 'hunter2hunter2'\n")
    known = model.add_unseen(memory, texts)
    assert known.knows(ids)
    assert not known.knows(model._tokenizer.encode("hunter2"))
    assert not model.add_unseen(memory, ("", "")).knows(ids)
