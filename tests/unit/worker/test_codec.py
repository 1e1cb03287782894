"""Messages between the server and its worker: each comes out as it went in, whatever it holds."""

import io
import random
import struct
from typing import get_args

import pytest

from server.backends.backend import BackendInfo
from server.engine.generation_request import TokenUsage
from server.settings import EngineSettings, RemoteSettings, Settings, SuggestionSettings
from server.suggestion.extent import Extent
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
from server.worker import codec
from server.worker.codec import BrokenStreamError, read_message, write_message
from server.worker.messages import (
    BackendUnavailable,
    Cancel,
    ChangeSettings,
    CheckHealth,
    CheckProgress,
    Complete,
    Completed,
    Downloading,
    Failed,
    HealthReport,
    Load,
    LoadFailed,
    Message,
    Progress,
    ReadAhead,
    Ready,
    UpdateDocument,
    UpdateWorkspace,
    UseIndex,
)
from server.workspace.memory_info import MemoryInfo
from server.workspace.snapshot import WorkspaceSnapshot
from training.artifact.code_reference import CodeReference

SETTINGS = Settings(
    model="owner/name",
    private_globs=("*.key", "a/*"),
    suggestion=SuggestionSettings(eagerness="quiet"),
    engine=EngineSettings(threads=3),
    remote=RemoteSettings(timeout_s=0.5),
)
RESULT = CompletionResult(
    suggestion=Suggestion(
        text="a\ud800𝔘\x00",
        covered=2,
        rules=("loop", "unfitting"),
        confidence=0.25,
        source=CodeReference(package="p", path="p/a.py", licence="MIT", n_tokens=60),
    ),
    alternatives=(Suggestion(text="b"), Suggestion(text="c", covered=1)),
    extent=Extent.FUNCTION,
    usage=TokenUsage(prompt_tokens=7, first_token_ms=None),
    total_ms=12.5,
)
MEMORY = MemoryInfo(files=2, files_left_out=0, documents=1, tokens=9, age_s=None)
MESSAGES = [
    Load(settings=SETTINGS),
    ChangeSettings(settings=Settings()),
    UpdateWorkspace(snapshot=WorkspaceSnapshot(context_text="a\n", names=frozenset({"b", "a"}))),
    Complete(
        id=1,
        request=CompletionRequest(text="\udfff\r\n", offset=2, document="u", n_wanted=3),
        quiet_s=0.25,
    ),
    ReadAhead(request=CompletionRequest(text="a\n", offset=1, document="u")),
    Cancel(id=1),
    CheckHealth(id=2),
    Ready(load_s=1.25, tokenizer="/m/tokenizer.json"),
    Downloading(done_bytes=1, total_bytes=1 << 40),
    LoadFailed(reason="it is missing"),
    Completed(id=1, result=RESULT, is_cancelled=False),
    Completed(id=2, result=CompletionResult(reason="no model"), is_cancelled=True),
    Failed(id=1, error_type="ValueError"),
    BackendUnavailable(id=1, reason="away: x", unquoted="away", is_new=False),
    HealthReport(id=2, backend=BackendInfo(threads=2, precision="int8", memory=MEMORY)),
    UseIndex(folder="/c/0"),
    UpdateDocument(uri="file:///a.py", text="x\n"),
    UpdateDocument(uri="file:///b.py", text=None),
    CheckProgress(),
    Progress(stalled_s=1.5),
]


def encode(*messages):
    stream = io.BytesIO()
    for message in messages:
        write_message(stream, message)
    return stream.getvalue()


def test_every_message_comes_out_as_it_went_in():
    """If it fails, the worker completes something else than the editor asked for."""
    stream = io.BytesIO(encode(*MESSAGES))
    found = []
    while (message := read_message(stream)) is not None:
        found.append(message)
    assert found == MESSAGES
    assert [type(message) for message in found] == [type(message) for message in MESSAGES]
    assert found[10].result.extent is Extent.FUNCTION


def test_every_kind_is_tested_here_and_has_a_name_of_its_own():
    types = set(get_args(Message))
    assert {type(message) for message in MESSAGES} == types
    assert len({message_type.kind for message_type in types}) == len(types)


def test_a_stream_that_is_cut_anywhere_is_broken_never_misread():
    """If it fails, a worker that dies while it writes takes the server with it."""
    data = encode(MESSAGES[0])
    for length in range(1, len(data)):
        with pytest.raises(BrokenStreamError):
            read_message(io.BytesIO(data[:length]))
    assert read_message(io.BytesIO(b"")) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"kind": "cancel"}',
        b'{"kind": "no such", "fields": {}}',
        b'{"kind": ["cancel"], "fields": {}}',
        b'{"kind": "cancel", "fields": {}}',
        b'{"kind": "cancel", "fields": {"id": 1, "more": 2}}',
        b'{"kind": "cancel", "fields": [1]}',
        b'{"kind": "load", "fields": {"settings": {"no_such": 1}}}',
        (
            b'{"kind": "completed", "fields": {"id": 1, "is_cancelled": false,'
            b' "result": {"extent": "chapter"}}}'
        ),
    ],
)
def test_what_is_not_a_message_is_a_broken_stream(body):
    with pytest.raises(BrokenStreamError):
        read_message(io.BytesIO(struct.pack(">I", len(body)) + body))


def test_random_bytes_are_a_broken_stream():
    chance = random.Random(0)
    for _ in range(300):
        with pytest.raises(BrokenStreamError):
            read_message(io.BytesIO(chance.randbytes(chance.randrange(1, 40))))


def test_a_length_is_bounded_at_both_ends(monkeypatch):
    """If it fails, a torn stream makes its reader allocate gigabytes."""
    with pytest.raises(BrokenStreamError):
        read_message(io.BytesIO(b"\xff\xff\xff\xff"))
    monkeypatch.setattr(codec, "MAX_BYTES", 100)
    with pytest.raises(BrokenStreamError):
        write_message(io.BytesIO(), LoadFailed(reason="x" * 101))


def test_a_stream_that_is_closed_is_broken():
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(BrokenStreamError):
        write_message(stream, Cancel(id=1))
