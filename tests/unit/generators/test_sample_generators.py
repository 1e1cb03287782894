"""Samples from other models: infilling by the model cards' layout, and a server's odd answers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from evaluation.generators import api_generator
from evaluation.generators.api_generator import ApiGenerator
from evaluation.generators.generator import Generation
from evaluation.generators.registry import load_generator
from evaluation.generators.transformers_generator import TransformersGenerator
from evaluation.problems.problem import Problem
from server.backends.fim_templates import find_template
from training.foundation.errors import ArtifactError, PrerequisiteError

PROBLEM = Problem(task_id="t", prompt="P", entry_point="f", test="", suffix="S")
GENERATION = Generation(n=2, stop=("\nclass",))


class WordTokenizer:
    """One token a text; a start token before each, if there is one."""

    def __init__(self, vocabulary, bos=None):
        self.ids = {token: number for number, token in enumerate(["<s>", "P", "S", *vocabulary])}
        self.bos_token_id = self.ids.get(bos)

    def __call__(self, text, *, add_special_tokens=True):
        start = [self.bos_token_id] if add_special_tokens and self.bos_token_id is not None else []
        return {"input_ids": [*start, *([self.ids[text]] if text else [])]}

    def convert_tokens_to_ids(self, tokens):
        return [self.ids[token] for token in tokens]


@pytest.mark.parametrize(
    ("vocabulary", "bos", "expected"),
    [
        (
            ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
            None,
            "<fim_prefix> P <fim_suffix> S <fim_middle>",
        ),
        (
            ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
            "<s>",
            "<s> <｜fim▁begin｜> P <｜fim▁hole｜> S <｜fim▁end｜>",
        ),
        (("▁<PRE>", "▁<SUF>", "▁<MID>"), "<s>", "<s> ▁<PRE> P ▁<SUF> S ▁<MID>"),
        (("[PREFIX]", "[SUFFIX]"), "<s>", "<s> [SUFFIX] S [PREFIX] P"),
    ],
)
def test_infilling_is_laid_out_as_the_model_card_says(vocabulary, bos, expected):
    """If it fails, another model's score says more about our prompt than about the model."""
    generator = TransformersGenerator.__new__(TransformersGenerator)
    generator._tokenizer = tokenizer = WordTokenizer(vocabulary, bos)
    generator._template = find_template(tokenizer.ids)
    assert generator._prompt_ids(PROBLEM) == [tokenizer.ids[t] for t in expected.split()]


def test_a_model_without_infilling_tokens_is_refused():
    generator = TransformersGenerator.__new__(TransformersGenerator)
    generator._tokenizer, generator._template = WordTokenizer(()), None
    generator._identity = {"model": "m"}
    with pytest.raises(PrerequisiteError, match="m cannot infill"):
        generator._prompt_ids(PROBLEM)


def test_a_context_too_short_for_the_completion_is_refused():
    """If it fails, such a model is scored on completions of the wrong end of its prompt."""
    generator = TransformersGenerator.__new__(TransformersGenerator)
    generator._tokenizer, generator._template = WordTokenizer(()), None
    generator._identity = {"model": "m"}
    generator._model = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=64))
    problem = Problem(task_id="t", prompt="P", entry_point="f", test="")
    with pytest.raises(PrerequisiteError, match="reads 64 tokens"):
        generator.generate(problem, Generation(n=1, max_new_tokens=64), first=0)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_models_own_code_is_never_run(tmp_path, monkeypatch, file):
    """If it fails, a model folder from the net runs its code as the user, after one "y"."""
    folder = tmp_path / "model"
    folder.mkdir()
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\nOwn = OwnTokenizer = object\n")
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    own = {
        "model_type": "own",
        "auto_map": {
            "AutoConfig": "own.Own",
            "AutoModelForCausalLM": "own.Own",
            "AutoTokenizer": ["own.OwnTokenizer", None],
        },
    }
    (folder / file).write_text(json.dumps(own))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(PrerequisiteError, match=r"cannot load the model|weights have 0 bytes"):
        TransformersGenerator(str(folder))
    assert not ran.exists()


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere", "a/b/c", "nowhere"])
def test_a_name_that_cannot_be_a_repository_is_taken_for_an_artifact(model):
    """If it fails, a mistyped folder is looked for on the Hub."""
    with pytest.raises(ArtifactError):
        load_generator(model)


def test_only_the_key_that_was_named_is_sent(monkeypatch):
    """If it fails, ``--url`` sends the key of another service to a stranger's server."""
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.delenv(api_generator.KEY_VARIABLE, raising=False)
    headers = ApiGenerator("http://h", "m")._client._headers()
    assert "Authorization" not in headers
    named = ApiGenerator("http://h", "m", key_variable="OPENAI_API_KEY")._client._headers()
    assert named["Authorization"] == "Bearer other"


@pytest.fixture
def server(monkeypatch):
    """A server that gives the answers in ``answers``, one after the other: a status and a body."""
    monkeypatch.setattr(api_generator, "FIRST_WAIT_S", 0.001)
    monkeypatch.setenv(api_generator.KEY_VARIABLE, "k")
    double = SimpleNamespace(answers=[], requests=[], headers=[])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            double.requests.append(body)
            double.headers.append(dict(self.headers))
            status, data = double.answers.pop(0)
            data = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    double.generator = ApiGenerator(f"http://127.0.0.1:{http.server_port}/v1/", "m")
    yield double
    http.shutdown()
    thread.join()
    http.server_close()


def choices(*texts):
    return {"choices": [{"text": text} for text in texts]}


def test_a_busy_server_is_asked_again_and_too_few_texts_are_completed(server):
    """If it fails, a run over night ends at the first hiccup, or lacks samples."""
    server.answers = [(503, b"busy"), (429, b""), (200, choices("a")), (200, choices("b", "c"))]
    assert server.generator.generate(PROBLEM, GENERATION, first=0) == ["a", "b"]
    assert [request["n"] for request in server.requests] == [2, 2, 2, 1]
    assert server.requests[2]["seed"] != server.requests[3]["seed"]
    assert {request["suffix"] for request in server.requests} == {"S"}
    assert "stop" not in server.requests[0]  # a gap ends where the model ends it
    assert server.headers[0]["Authorization"] == "Bearer k"


def test_a_stop_string_that_the_server_ignores_is_cut_off_here(server):
    server.answers = [(200, choices("x\nclass A:", "y"))]
    problem = Problem(task_id="t", prompt="def f():", entry_point="f", test="")
    assert server.generator.generate(problem, GENERATION, first=0) == ["x", "y"]
    assert server.requests[0]["stop"] == ["\nclass"]


@pytest.mark.parametrize(
    ("status", "data", "sentence"),
    [
        (404, b"no such model", r"status 404: no such model; samples so far are kept"),
        (503, b"", "status 503"),
        (200, b"<html>", "does not answer with completions"),
        (200, [], "does not answer with completions"),
        (200, {"choices": []}, "does not answer with completions"),
        (200, {"choices": [{"message": {}}]}, "does not answer with completions"),
        (200, {"choices": [{"text": None}]}, "does not answer with completions"),
    ],
)
def test_what_is_no_completion_is_one_sentence(server, status, data, sentence):
    """If it fails, a chat server's answers crash the run, or count as empty samples."""
    server.answers = [(status, data)] * api_generator.TRIES
    with pytest.raises(PrerequisiteError, match=sentence):
        server.generator.generate(PROBLEM, GENERATION, first=0)
    is_temporary = status == 503
    assert len(server.requests) == (api_generator.TRIES if is_temporary else 1)
