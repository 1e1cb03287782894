"""Typing through a suggestion, and what is left alone."""

import pytest

from server.completer import Completer
from server.settings import EngineSettings, Settings, SuggestionSettings
from server.suggestion.privacy import is_private, looks_secret
from server.suggestion.request import CompletionRequest
from server.suggestion.type_through import Shown, TypingThrough


@pytest.fixture(scope="module")
def completer(tiny_artifact):
    settings = Settings(
        suggestion=SuggestionSettings(eagerness="always"),
        engine=EngineSettings(precision="float32", threads=1),
    )
    return Completer.load(tiny_artifact, settings)


def test_what_is_typed_as_suggested_asks_no_model(completer, known_module):
    """If it fails, the ghost text flickers at each letter that agrees with it."""
    at = known_module.index("return math.") + len("return math.")
    end = known_module.index("\n", at)
    behind = known_module[end:]
    first = completer.complete(
        CompletionRequest(text=known_module[:at] + behind, offset=at, document="file:///a")
    )
    assert first.text.startswith("pi")
    assert not first.is_rest
    for typed in range(1, len(first.text)):
        text = known_module[:at] + first.text[:typed] + behind
        request = CompletionRequest(text=text, offset=at + typed, document="file:///a")
        result = completer.complete(request)
        assert result.is_rest
        assert (result.text, result.computed_tokens) == (first.text[typed:], 0)
        assert result.confidence == first.confidence
    other = completer.complete(CompletionRequest(text=text, offset=at + typed, document="b"))
    assert not other.is_rest
    wrong = known_module[:at] + "x" + behind
    request = CompletionRequest(text=wrong, offset=at + 1, document="file:///a")
    assert not completer.complete(request).is_rest


def test_a_request_called_off_forgets_nothing(completer, known_module):
    at = known_module.index("return math.") + len("return math.")
    text = known_module[:at]
    first = completer.complete(CompletionRequest(text=text, offset=at, document="c"))
    later = CompletionRequest(text=text + "zz", offset=at + 2, document="c")
    assert completer.complete(later, lambda: True).reason == "cancelled"
    again = CompletionRequest(text=text + first.text[:1], offset=at + 1, document="c")
    assert completer.complete(again).is_rest


def shown(text, **change):
    return Shown(
        **{"before": "a", "behind": "z", "covered": 0, "confidence": 0.5, **change}, text=text
    )


def test_the_rest_holds_only_where_it_stood():
    typing = TypingThrough()
    typing.remember("d", shown("bcd"))
    assert typing.rest("d", "ab", "z").text == "cd"
    for before, behind in (("a", "z"), ("ab", "y"), ("ax", "z"), ("b", "z"), ("abcd", "z")):
        assert typing.rest("d", before, behind) is None
    assert typing.rest("e", "ab", "z") is None
    typing.remember("d", shown("b  \n"))
    assert typing.rest("d", "ab", "z") is None  # nothing worth showing is left
    typing.remember("d", None)
    assert typing.rest("d", "ab", "z") is None
    for number in range(40):
        typing.remember(str(number), shown("bcd"))
    assert typing.rest("0", "ab", "z") is None
    assert typing.rest("39", "ab", "z") is not None


@pytest.mark.parametrize(
    ("uri", "is_left_alone"),
    [
        ("file:///home/me/app/.env", True),
        ("file:///home/me/app/.env.production", True),
        ("file:///home/me/My%20Keys/server.PEM", True),
        ("file:///home/me/.ssh/id_ed25519", True),
        ("file:///home/me/secrets.py", True),
        ("file:///home/me/app/environment.py", False),
        ("file:///home/me/app/keys.py", False),
        ("untitled:Untitled-1", False),
        ("file:///home/me/app/private/x.py", True),
        ("file:///home/me/app/generated_pb2.py", True),
        ("file:///home/me/data/one/x.py", True),
        ("file:///home/me/data2/one/x.py", False),
    ],
)
def test_files_of_secrets_are_left_alone(uri, is_left_alone):
    """If it fails, a key goes through the model, and into its suggestions."""
    assert is_private(uri, ["private", "*_pb2.py", "data/*/*.py"]) == is_left_alone


@pytest.mark.parametrize(
    ("text", "is_secret"),
    [
        ('key = "' + "AKIA" + "ABCDEFGHIJKLMNOP" + '"', True),
        ("token = 'ghp_" + "a1B2" * 9 + "'", True),
        ('x = """-----BEGIN RSA PRIVATE ' + "KEY-----", True),
        ('secret = "' + "aB3" * 12 + '"', True),
        ("return hashlib.sha256(data).hexdigest()", False),
        ('"a/long/path/that/is/only/lower/case/and/slashes"', False),
        ('assert digest == "' + "0f" * 32 + '"', False),
    ],
)
def test_suggestions_that_look_like_secrets(text, is_secret):
    assert looks_secret(text) == is_secret
