"""A remote model: a real HTTP server on the loopback that streams, stalls, fails or refuses."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from server.backends.backend import BackendUnavailableError
from server.backends.circuit_breaker import CircuitBreaker
from server.backends.remote_server import RemoteServer
from server.completer import Completer
from server.engine.generation_request import FinishReason, GenerationRequest
from server.prompt.window import Window
from server.settings import RemoteSettings, Settings, SuggestionSettings
from server.suggestion.request import CompletionRequest
from training.foundation.errors import ArtifactError, ConfigError


class Double(ThreadingHTTPServer):
    """Answers as a test wants, and keeps the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.headers = [], []
        self.pieces = ["    return", " a + b\n", "print(1)"]
        self.log_probs = [-0.1, -0.2, -0.3]
        self.takes_empty = False
        self.status, self.takes_suffix, self.pause_s, self.n_sent = 200, False, 0.0, 0
        self.refusal, self.limit_chars = b'{"error": "suffix is not supported"}', 1 << 20
        self.n_at_once = len(self.pieces)  # the others wait for ``may_go_on``
        self.may_go_on = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        """A client that closes is what is tested."""


class Handler(BaseHTTPRequestHandler):
    server: Double

    def do_POST(self):
        double = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        double.asked.append((self.path, body))
        double.headers.append(dict(self.headers))
        is_long = len(body["prompt"]) + len(body.get("suffix", "")) > double.limit_chars
        is_refused = is_long or ("suffix" in body and not double.takes_suffix)
        is_refused = is_refused or not (body["prompt"] or double.takes_empty)  # as vLLM does
        status = 400 if is_refused else double.status
        self.send_response(status)
        self.end_headers()
        if status != 200:
            self.wfile.write(b'{"error": "it is too long"}' if is_long else double.refusal)
            return
        pieces = zip(double.pieces, double.log_probs, strict=True)
        for number, (piece, log_prob) in enumerate(pieces):
            time.sleep(double.pause_s)
            if number >= double.n_at_once:
                double.may_go_on.wait(10)
            choice = {"index": 0, "text": piece, "logprobs": {"token_logprobs": [log_prob]}}
            self.wfile.write(b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode())
            self.wfile.flush()
            double.n_sent += 1
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    double = Double()
    thread = threading.Thread(target=double.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield double
    finally:
        double.may_go_on.set()
        double.shutdown()
        thread.join()
        double.server_close()


@pytest.fixture
def double():
    with serving() as double:
        yield double


def generate(server, prefix="def add(a, b):\n", suffix="", **values):
    window = Window(prefix=prefix, suffix=suffix)
    return server.generate(window, GenerationRequest(max_new_tokens=20, **values))


def text_of(outcome):
    return outcome.sequences[0].text.decode()


def test_a_streamed_line_is_shown_as_soon_as_it_is_complete(double, monkeypatch):
    """If it fails, a team's large model gives no ghost text, or a late one."""
    monkeypatch.setenv("PARROTLET_API_KEY", "k")
    suggesting = SuggestionSettings(extent="line")
    remote = RemoteSettings(url=double.url, model="m")
    completer = Completer.load(settings=Settings(remote=remote, suggestion=suggesting))
    double.n_at_once = 2
    text = "def add(a, b):\n"
    result = completer.complete(CompletionRequest(text=text, offset=len(text)))
    assert result.suggestion.text == "    return a + b"
    assert result.suggestion.log_prob == pytest.approx(-0.3)
    assert double.n_sent <= 2  # the third piece is not waited for
    path, body = double.asked[0]
    assert path == "/v1/completions"
    assert body["stream"] is True
    assert body["prompt"] == text
    assert double.headers[0]["Authorization"] == "Bearer k"


def test_whitespace_before_the_cursor_is_not_sent_but_required(double):
    server = RemoteServer(RemoteSettings(url=double.url + "/v1/"))
    assert text_of(generate(server, "def add(a, b):\n  ")) == "  return a + b\nprint(1)"
    assert double.asked[0][1]["prompt"] == "def add(a, b):\n"
    assert text_of(generate(server, "def add(a, b):\n\t")) == ""  # another indentation


@pytest.mark.parametrize("prefix", ["", "  \t"])
def test_an_empty_prompt_is_not_sent(double, prefix):
    """If it fails, each new file puts the status on "error", and the server seems broken."""
    remote = RemoteServer(RemoteSettings(url=double.url))
    asked = GenerationRequest(max_new_tokens=9, n_sequences=2)
    for suffix in ("", "\n"):
        result = remote.generate(Window(prefix=prefix, suffix=suffix), asked)
        assert [s.text for s in result.sequences] == [b"", b""]
        assert [s.finish_reason for s in result.sequences] == [FinishReason.END_OF_TEXT] * 2
    assert double.asked == []
    double.refusal = b'{"error": "prompt must not be empty"}'
    for _ in range(4):  # the suffix alone is asked for, and its refusal says nothing about others
        result = remote.generate(Window(prefix=prefix, suffix="x = 1\n"), asked)
        assert result.sequences[0].text == b""
    assert [body.get("suffix") for _, body in double.asked] == ["x = 1\n"] * 4
    assert remote.describe().infilling == "suffix"
    double.takes_empty = double.takes_suffix = True
    assert remote.generate(Window(prefix=prefix, suffix="x = 1\n"), asked).usage.new_tokens


def test_a_server_that_refuses_a_suffix_is_asked_without_one(double):
    """If it fails, a server without infilling answers every key with an error."""
    server = RemoteServer(RemoteSettings(url=double.url))
    assert text_of(generate(server, suffix="\nend"))
    assert text_of(generate(server, suffix="\nend"))
    assert ["suffix" in body for _, body in double.asked] == [True, False, False]
    assert server.describe().infilling == "none"
    double.takes_suffix = True
    server = RemoteServer(RemoteSettings(url=double.url))
    generate(server, suffix="\nend")
    assert double.asked[-1][1]["suffix"] == "\nend"


def test_a_server_that_does_not_say_why_it_refuses_a_suffix_is_asked_without_one(double):
    """If it fails, each key costs two requests for ever."""
    double.refusal = b'{"error": "m does not support insert"}'
    server = RemoteServer(RemoteSettings(url=double.url))
    for _ in range(5):
        assert text_of(generate(server, suffix="\nend"))
    has_suffix = ["suffix" in body for _, body in double.asked]
    assert has_suffix == [True, False] * 3 + [False] * 2


def test_a_text_that_is_too_long_costs_one_request_its_suffix_and_no_other(double):
    """If it fails, one line of data ends infilling, or has the server left alone for minutes."""
    double.takes_suffix, double.limit_chars = True, 100
    server = RemoteServer(RemoteSettings(url=double.url))
    for _ in range(5):
        assert text_of(generate(server, suffix="x" * 200))
        assert text_of(generate(server, suffix="\nend"))
    assert server.describe().infilling == "suffix"
    for is_new in (True, False, False, False):
        with pytest.raises(BackendUnavailableError, match="it is too long") as caught:
            generate(server, prefix="x" * 200, suffix="\nend")
        assert caught.value.is_new is is_new
    assert not server._breaker.remaining_s
    assert text_of(generate(server, suffix="\nend"))
    assert "suffix" in double.asked[-1][1]


@pytest.mark.parametrize("suffix_chars", [0, 4000])
def test_a_long_line_fits_the_context_of_a_remote_model(double, suffix_chars):
    double.limit_chars, double.takes_suffix = 2 * (2048 - 160), True
    completer = Completer.load(settings=Settings(remote=RemoteSettings(url=double.url)))
    before = "KEY = 1\nDATA = '" + "iVBORw0K" * 250
    text = before + "x" * suffix_chars
    request = CompletionRequest(text=text, offset=len(before), is_asked_for=True)
    completer.complete(request)
    assert [path for path, _ in double.asked] == ["/v1/completions"]


def test_our_own_artifact_can_be_served_remotely(double, tiny_artifact):
    server = RemoteServer(RemoteSettings(url=double.url, tokenizer=str(tiny_artifact)))
    generate(server, suffix="\nend")
    body = double.asked[0][1]
    assert body["prompt"] == "<|fim_prefix|>def add(a, b):\n<|fim_suffix|>\nend<|fim_middle|>"
    assert "<|endoftext|>" in body["stop"]
    assert "suffix" not in body
    assert server.count_tokens("def add(a, b):") < len("def add(a, b):")


def test_a_request_is_cancelled_while_the_server_generates(double):
    """If it fails, the server keeps generating for an editor that has moved on."""
    double.n_at_once = 0
    server = RemoteServer(RemoteSettings(url=double.url))
    outcome = generate(server, should_stop=lambda: bool(double.asked))
    assert double.n_sent == 0  # it was not waited for
    assert outcome.sequences[0].finish_reason is FinishReason.CANCELLED
    assert not server._breaker.remaining_s


def test_a_cancelled_request_does_not_count_as_an_answer(double):
    """If it fails, a server that is away is asked at every key, as long as somebody types."""
    double.pause_s = 5.0
    server = RemoteServer(RemoteSettings(url=double.url, timeout_s=0.1))
    for is_cancelled in (False, True, False, True, False):
        if is_cancelled:
            generate(server, should_stop=lambda: True)
            continue
        with pytest.raises(BackendUnavailableError, match="did not answer within"):
            generate(server)
    assert server._breaker.remaining_s


def test_a_server_slower_than_the_timeout_is_unavailable(double):
    double.pause_s = 5.0
    server = RemoteServer(RemoteSettings(url=double.url, timeout_s=0.2))
    with pytest.raises(BackendUnavailableError, match="did not answer within"):
        generate(server)


def test_a_server_that_cannot_be_reached_is_left_alone_for_a_while(double):
    """If it fails, each key waits for a connection that cannot be made."""
    with serving() as other:
        url = other.url
    server = RemoteServer(RemoteSettings(url=url))
    for is_new in (True, True, True, False, False):
        with pytest.raises(BackendUnavailableError) as caught:
            generate(server)
        assert caught.value.is_new is is_new
    assert "next attempt in 5 s" in str(caught.value)
    double.status = 503
    server = RemoteServer(RemoteSettings(url=double.url))
    with pytest.raises(BackendUnavailableError, match="status 503"):
        generate(server)
    double.status = 200
    assert text_of(generate(server))


def test_a_breaker_closes_on_success_and_waits_longer_after_each_failure():
    now = 0.0
    breaker = CircuitBreaker(clock=lambda: now)
    breaker.record_failure()
    breaker.record_failure()
    breaker.record_success()
    breaker.record_failure()
    breaker.record_failure()
    assert breaker.remaining_s == 0
    breaker.record_failure()
    assert breaker.remaining_s == 5
    now = 6.0
    assert breaker.remaining_s == 0
    breaker.record_failure()
    assert breaker.remaining_s == 10
    now = 20.0
    breaker.record_success()
    breaker.record_failure()
    assert breaker.remaining_s == 0


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"data: {\n\n", "sent an event that is not valid JSON"),
        (b"data: []\n\n", "sent an event that is not a JSON object"),
        (b'data: {"error": "full"}\n\n', "reported an error: full"),
    ],
)
def test_an_invalid_stream_is_a_failure_of_the_server(answer, sentence, monkeypatch, double):
    """If it fails, a broken server is taken for one that has nothing to suggest."""
    answer_with(answer, monkeypatch)
    server = RemoteServer(RemoteSettings(url=double.url, timeout_s=1.0))
    with pytest.raises(BackendUnavailableError, match=sentence):
        generate(server)


@pytest.mark.parametrize(
    ("status", "head", "answer"),
    [
        (422, {}, b'{"detail": [{"input": "password = 1"}]}'),
        (307, {"Location": "http://elsewhere/?prompt=password"}, b""),
        (200, {}, b'data: {"error": "too long:\\n password = 1"}\n\n'),
    ],
)
def test_what_a_server_says_is_for_the_user_and_not_for_a_log(
    status, head, answer, monkeypatch, double
):
    """If it fails, code that a server repeats in its refusal is in a bug report."""
    answer_with(answer, monkeypatch, status, head)
    with pytest.raises(BackendUnavailableError, match="password") as caught:
        generate(RemoteServer(RemoteSettings(url=double.url)))
    assert "\n" not in str(caught.value)
    assert "password" not in caught.value.unquoted
    assert caught.value.unquoted.startswith(f"the remote server {double.url}/v1/completions ")


def test_a_stream_without_events_is_an_empty_suggestion(monkeypatch, double):
    answer_with(b"\xff\xff", monkeypatch)
    result = generate(RemoteServer(RemoteSettings(url=double.url, timeout_s=1.0)))
    assert (text_of(result), result.sequences[0].finish_reason) == ("", FinishReason.END_OF_TEXT)


@pytest.mark.parametrize("last", [["d_mo"], ["d_mo", ""]], ids=["with text", "llama.cpp"])
@pytest.mark.parametrize("reason", ["length", "stop"])
def test_what_reaches_the_length_limit_is_known_to_be_cut(last, reason, monkeypatch, double):
    """If it fails, a suggestion has half a name with a closing bracket after it."""
    *pieces, end = [{"text": text} for text in (" open(path, rea", *last)]
    events = [{"choices": [piece]} for piece in (*pieces, {**end, "finish_reason": reason})]
    answer_with(b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in events), monkeypatch)
    completer = Completer.load(settings=Settings(remote=RemoteSettings(url=double.url)))
    text = "read_mode = 'r'\npath = 'a'\nfile = "
    result = completer.complete(CompletionRequest(text=text, offset=len(text), is_asked_for=True))
    expected = "open(path)" if reason == "length" else "open(path, read_mo)"
    assert (result.suggestion.text, result.usage.new_tokens) == (expected, 2)


def answer_with(answer, monkeypatch, status=200, head=()):
    def do_post(handler):
        handler.send_response(status)
        for name in head:
            handler.send_header(name, head[name])
        handler.end_headers()
        handler.wfile.write(answer)

    monkeypatch.setattr(Handler, "do_POST", do_post)


def test_mistakes_in_the_settings_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"remote\.url"):
        RemoteServer(RemoteSettings(url="ftp://x"))
    with pytest.raises(ArtifactError, match=r"tokenizer\.json"):
        RemoteServer(RemoteSettings(url="http://x", tokenizer=str(tmp_path)))
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"model": {"type": "BPE", "vocab": {"a": 0, "b": 4_000_000_000}, "merges": []}})
    )
    with pytest.raises(ArtifactError, match="not a valid tokenizer"):
        RemoteServer(RemoteSettings(url="http://x", tokenizer=str(tmp_path)))


ODD_CHOICES = [
    {"choices": 5},
    {"choices": "text"},
    {"choices": [None, 5, "x", [], {}]},
    {"choices": [{"text": 5}, {"text": None}, {"text": ["x"]}]},
    {"choices": [{"text": "x", "index": None}, {"text": "x", "index": -1}]},
    {"choices": [{"text": "x", "index": "0"}, {"text": "x", "index": 10**300}]},
]


def test_odd_events_are_passed_over(monkeypatch, double):
    """If it fails, an odd event of a server ends the worker in a traceback."""
    good = {"choices": [{"text": "a\ud83d", "logprobs": {"token_logprobs": [-1.0, 1e308, None]}}]}
    events = [*ODD_CHOICES, good]
    answer_with(b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in events), monkeypatch)
    result = generate(RemoteServer(RemoteSettings(url=double.url, timeout_s=1.0)))
    assert text_of(result) == "a\N{REPLACEMENT CHARACTER}"
