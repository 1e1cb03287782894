"""Typing through a suggestion; private files and secrets."""

from dataclasses import replace

import pytest

from server.completer import Completer
from server.settings import EngineSettings, Settings, SuggestionSettings
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
from server.suggestion.type_through import TypeThrough
from server.workspace.private_files import is_private
from server.workspace.sources.secret_shapes import looks_secret


@pytest.fixture(scope="module")
def completer(tiny_artifact):
    settings = Settings(
        suggestion=SuggestionSettings(eagerness="always"),
        engine=EngineSettings(precision="float32", threads=1),
    )
    return Completer.load(tiny_artifact, settings)


def test_typing_the_suggestion_needs_no_model(completer, known_module):
    """If it fails, the ghost text flickers at each letter that agrees with it."""
    at = known_module.index("return math.") + len("return math.")
    end = known_module.index("\n", at)
    behind = known_module[end:]
    first = completer.complete(
        CompletionRequest(text=known_module[:at] + behind, offset=at, document="file:///a")
    )
    shown = first.suggestion
    assert shown.text.startswith("pi")
    assert not first.is_rest
    for typed in range(1, len(shown.text)):
        text = known_module[:at] + shown.text[:typed] + behind
        request = CompletionRequest(text=text, offset=at + typed, document="file:///a")
        result = completer.complete(request)
        assert result.is_rest
        assert (result.suggestion.text, result.usage.computed_tokens) == (shown.text[typed:], 0)
        assert result.suggestion.confidence == shown.confidence
    other = completer.complete(CompletionRequest(text=text, offset=at + typed, document="b"))
    assert not other.is_rest
    wrong = known_module[:at] + "x" + behind
    request = CompletionRequest(text=wrong, offset=at + 1, document="file:///a")
    assert not completer.complete(request).is_rest


def test_a_cancelled_request_forgets_nothing(completer, known_module):
    at = known_module.index("return math.") + len("return math.")
    text = known_module[:at]
    first = completer.complete(CompletionRequest(text=text, offset=at, document="c"))
    later = CompletionRequest(text=text + "zz", offset=at + 2, document="c")
    assert completer.complete(later, lambda: True).reason == "cancelled"
    again = CompletionRequest(text=text + first.suggestion.text[:1], offset=at + 1, document="c")
    assert completer.complete(again).is_rest


def request(before, after, document="d"):
    return CompletionRequest(text=before + after, offset=len(before), document=document)


def test_the_rest_holds_only_where_the_suggestion_was():
    typing = TypeThrough()
    typing.remember(request("a", "z"), Suggestion(text="bcd", confidence=0.5))
    rest = typing.rest(request("ab", "z"))
    assert (rest.text, rest.confidence) == ("cd", 0.5)
    for before, after in (("a", "z"), ("ab", "y"), ("ax", "z"), ("b", "z"), ("abcd", "z")):
        assert typing.rest(request(before, after)) is None
    assert typing.rest(request("ab", "z", "e")) is None
    typing.remember(request("a", "z"), Suggestion(text="b  \n"))
    assert typing.rest(request("ab", "z")) is None  # only whitespace is left
    typing.remember(request("a", "z"), Suggestion(text="bcd"))
    typing.remember(request("a", "z"), Suggestion())
    assert typing.rest(request("ab", "z")) is None
    for number in range(40):
        typing.remember(request("a", "z", str(number)), Suggestion(text="bcd"))
    assert typing.rest(request("ab", "z", "0")) is None
    assert typing.rest(request("ab", "z", "39")) is not None


def test_nothing_is_left_of_a_suggestion_whose_rest_is_behind_the_cursor():
    """If it fails, nothing is suggested behind an argument before a closing bracket."""
    typing = TypeThrough()
    typing.remember(request("f(", ")\n"), Suggestion(text="ab)", covered=1))
    assert typing.rest(request("f(a", ")\n")).text == "b)"
    assert typing.rest(request("f(ab", ")\n")) is None
    typing.remember(request("f(", ")\n"), Suggestion(text="ab) + 1", covered=1))
    assert typing.rest(request("f(ab", ")\n")).text == ") + 1"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_suggestion_of_several_lines_is_typed_through(completer, monkeypatch, line_end):
    """If it fails, a file with Windows' line ends loses its ghost text at each line end."""
    suggested = "if x:\n        return 1"
    result = CompletionResult(suggestion=Suggestion(text=suggested))
    monkeypatch.setattr(completer, "_generate_result", lambda *_: result)
    head = "def f(x):\n    "
    for typed in ("", "i", "if x:\n", "if x:\n        re"):
        before, after = (text.replace("\n", line_end) for text in (head + typed, "\nf(1)\n"))
        found = completer.complete(request(before, after, f"line ends {line_end!r}"))
        assert found.suggestion.text == suggested[len(typed) :]
        assert found.is_rest == bool(typed)


def test_what_another_file_made_likely_can_be_forgotten_alone():
    typing = TypeThrough()
    typing.remember(request("a", "z", "own"), Suggestion(text="bcd"))
    typing.remember(request("a", "z", "other"), Suggestion(text="bcd", known_from="/w/a.py"))
    typing.forget(only_known=True)
    assert typing.rest(request("ab", "z", "own")) is not None
    assert typing.rest(request("ab", "z", "other")) is None
    typing.forget()
    assert typing.rest(request("ab", "z", "own")) is None


def test_changed_settings_hold_for_the_next_key(tiny_artifact, known_module):
    """If it fails, what a user has just forbidden is suggested until the line ends."""
    settings = Settings(
        suggestion=SuggestionSettings(eagerness="always"),
        engine=EngineSettings(precision="float32", threads=1),
    )
    completer = Completer.load(tiny_artifact, settings)
    at = known_module.index("return math.") + len("return math.")
    before = known_module[:at]
    assert completer.complete(request(before, "")).suggestion.text.startswith("pi")
    assert completer.complete(request(before + "p", "")).is_rest
    completer.change_settings(replace(settings, private_globs=("*.py",)))
    assert completer.settings.private_globs == ("*.py",)
    assert not completer.complete(request(before + "pi", "")).is_rest
    accepted = completer.complete(request(before + "pi ", "")).suggestion.text
    completer.complete(request(before + "pi " + accepted + "\n", ""))
    assert completer._accepted
    completer.change_settings(settings)
    assert not completer._accepted


def test_an_accepted_suggestion_is_recognised():
    """If it fails, repeated code is not guessed, and each line of it takes longer."""
    typing = TypeThrough()
    typing.remember(request("import os\nx = ", "\n"), Suggestion(text="os.sep"))
    assert typing.find_accepted(request("import os\nx = os.sep\ny", "\n")) == "x = os.sep"
    assert typing.find_accepted(request("import os\nx = os.s", "\n")) is None
    assert typing.find_accepted(request("import os\nx = os.sep", "\n", "other")) is None


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
def test_private_files_are_recognised(uri, is_left_alone):
    """If it fails, a key reaches the model, and its suggestions."""
    assert is_private(uri, ["private", "*_pb2.py", "data/*/*.py"]) == is_left_alone


@pytest.mark.parametrize(
    ("text", "is_secret"),
    [
        ('key = "' + "AKIA" + "ABCDEFGHIJKLMNOP" + '"', True),
        ("token = 'ghp_" + "a1B2" * 9 + "'", True),
        ('x = """-----BEGIN RSA PRIVATE ' + "KEY-----", True),
        ("'eyJ" + "hbGciOiJIU.eyJzdWIiOiIx.SflKxwRJ'", True),
        ("'mask-eyJ" + "hbGciOiJIU.eyJzdWIiOiIx.SflKxwRJ'", True),
        ("'aeyJ-eyJ" + "hbGciOiJIU.eyJzdWIiOiIx.SflKxwRJ'", True),
        ("'eyJ.eyJ" + "hbGciOiJIU.eyJzdWIiOiIx.SflKxwRJ'", True),
        ("'aeyJ" + "hbGciOiJIU.eyJzdWIiOiIx.SflKxwRJ'", False),
        ("'eyJ" + "hbGciOiJIU.eyJzdWIi.SflKxwRJ'", False),
        ('secret = "' + "aB3" * 12 + '"', True),
        ("return hashlib.sha256(data).hexdigest()", False),
        ('"a/long/path/that/is/only/lower/case/and/slashes"', False),
        ('assert digest == "' + "0f" * 32 + '"', False),
    ],
)
def test_secrets_are_recognised_by_their_shape(text, is_secret):
    assert looks_secret(text) == is_secret
