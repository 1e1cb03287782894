"""One of our artifacts behind a server of others: the client shows what the engine shows."""

import random
import shutil

import pytest
from doubles.completions_double import MANNERS, serve_artifact

from server.backends.backend import BackendUnavailableError
from server.backends.remote.pieces import read_pieces
from server.backends.remote.prompt_text import PromptText
from server.completer import Completer
from server.settings import EngineSettings, RemoteSettings, Settings
from server.suggestion.request import CompletionRequest
from training.artifact.directory import WEIGHTS_FILE, add_metrics, load_artifact
from training.artifact.special_tokens import END_OF_TEXT

ENGINE = EngineSettings(precision="float32")


@pytest.fixture(scope="module")
def calibrated(tiny_artifact, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "model"
    shutil.copytree(tiny_artifact, folder)
    add_metrics(folder, {"confidence_slope": 0.7, "confidence_intercept": 1.0})
    return folder


@pytest.fixture(scope="module")
def small_files(calibrated, tmp_path_factory):
    """What a member of a team has: the artifact without its weights."""
    folder = tmp_path_factory.mktemp("member") / "model"
    shutil.copytree(calibrated, folder, ignore=shutil.ignore_patterns(WEIGHTS_FILE))
    return folder


@pytest.fixture(scope="module")
def local(calibrated):
    return Completer.load(calibrated, Settings(engine=ENGINE))


def open_remote(server, folder):
    remote = RemoteSettings(url=server.url, model="m", tokenizer=str(folder))
    return Completer.load(settings=Settings(engine=ENGINE, remote=remote))


def requests_in(text, n=12):
    """Places in a text as a user stops at them: within words, in indentation, with text behind."""
    chance = random.Random(5)
    for number in range(n):
        at = chance.randrange(20, len(text) - 60)
        after = text[at + chance.randrange(0, 40) :] if number % 3 else ""
        yield CompletionRequest(text=text[:at] + after, offset=at, is_asked_for=True)


@pytest.mark.parametrize("manner", MANNERS)
def test_a_served_artifact_suggests_what_the_engine_suggests(
    calibrated, small_files, local, known_module, manner
):
    """If it fails, a team's server suggests worse than the same model on a laptop."""
    with serve_artifact(calibrated, manner) as server:
        remote = open_remote(server, small_files)
        n_shown = n_equal = n_sure = n_all = 0
        for request in requests_in(known_module):
            expected, found = local.complete(request), remote.complete(request)
            n_all += 1
            n_equal += found.suggestion.text == expected.suggestion.text
            n_shown += bool(expected.suggestion.text)
            if manner == "vllm":
                sure = expected.suggestion.confidence
                assert found.suggestion.confidence <= sure + 0.06
                n_sure += found.suggestion.confidence >= sure - 0.06
        assert n_shown > n_all / 3
        assert manner != "vllm" or n_sure >= 0.8 * n_all
        # Without a bias, the end of a prefix inside a token cannot be healed where it is unlikely.
        assert n_equal >= (0.6 if manner == "plain" else 1.0) * n_all
    prompts = [body["prompt"] for body in server.asked]
    if manner == "vllm":
        assert all(prompt[0] == load_artifact(calibrated).end_of_text_id for prompt in prompts)
    else:
        assert all(p.startswith(END_OF_TEXT) for p in prompts if isinstance(p, str))
        assert sum(not isinstance(prompt, str) for prompt in prompts) <= 2  # then it knows


def test_alternatives_begin_with_the_typed_text(calibrated, small_files, known_module):
    with serve_artifact(calibrated, "vllm") as server:
        remote = open_remote(server, small_files)
        at = known_module.index("self.radius**2") + 8
        text = known_module[:at]
        request = CompletionRequest(text=text, offset=at, is_asked_for=True, n_wanted=3)
        result = remote.complete(request)
        assert result.suggestion.text
        several = [body for body in server.asked if body["n"] > 1]
        assert [body["n"] for body in several] == [9]


def test_one_refused_prompt_is_no_reason_to_ask_worse(calibrated, small_files):
    """If it fails, one prompt that a server refuses costs the prompt as ids for the session."""
    request = CompletionRequest(text="import ", offset=7, is_asked_for=True)
    with serve_artifact(calibrated, "vllm") as server:
        remote = open_remote(server, small_files)
        server.is_refusing = True
        with pytest.raises(BackendUnavailableError, match="status 400"):
            remote.complete(request)
        server.is_refusing = False
        remote.complete(request)
        assert isinstance(server.asked[-1]["prompt"], list)
        assert server.asked[-1]["logprobs"] == server.asked[0]["logprobs"]


def test_the_artifact_states_its_context_and_its_calibration(calibrated, small_files):
    with serve_artifact(calibrated, "vllm") as server:
        backend = open_remote(server, small_files)._backend
        artifact = load_artifact(calibrated)
        assert backend.context_tokens == artifact.context_tokens
        assert backend.calibration.slope == 0.7
        assert backend.describe().infilling == "artifact"
        assert backend.count_tokens("return total") == len(
            artifact.tokenizer.encode("return total")
        )


def test_the_name_of_a_special_token_in_a_users_text_is_not_sent(calibrated):
    """If it fails, a file that mentions a special token ends or forges the prompt."""
    artifact = load_artifact(calibrated)
    write = PromptText(artifact.tokenizer).write
    plain = artifact.tokenizer.encode(f"a = '{END_OF_TEXT}'\nb = ")
    assert write([artifact.end_of_text_id, *plain]) == f"{END_OF_TEXT}'\nb = "
    head = artifact.fim.spm_head(artifact.tokenizer.encode(f"x\n{END_OF_TEXT} y"))
    text = write([*head, *artifact.tokenizer.encode("z")])
    assert text == "<|endoftext|><|fim_prefix|><|fim_suffix|>x\n<|fim_middle|>z"


def test_a_prompt_as_text_is_cut_into_the_same_tokens(calibrated, known_module):
    artifact = load_artifact(calibrated)
    prompts, chance = PromptText(artifact.tokenizer), random.Random(2)
    n_same = 0
    for _ in range(60):
        at = chance.randrange(4, len(known_module))
        cut = artifact.tokenizer.encode(known_module[:at])
        ids = [artifact.end_of_text_id, *cut[: -chance.randint(0, 2) or None]]
        kept, moved = prompts.settle(ids)
        text = prompts.write(kept).removeprefix(END_OF_TEXT)
        n_same += artifact.tokenizer.encode(text) == kept[1:]
        assert artifact.tokenizer.decode_bytes(kept) + moved == artifact.tokenizer.decode_bytes(ids)
    assert n_same == 60


@pytest.mark.parametrize(
    "details",
    [
        *(None, 5, [], {}, {"tokens": 3}, {"tokens": ["a", "b"], "token_logprobs": [1]}),
        {"tokens": ["ab"], "token_logprobs": [float("nan")], "top_logprobs": [[1]]},
        {"tokens": ["ab"], "token_logprobs": [True], "top_logprobs": [{"x": "y", "": 1}]},
    ],
)
def test_odd_log_probabilities_count_as_unknown(details):
    """If it fails, a server with another idea of the protocol ends every request with an error."""
    pieces = read_pieces({"text": "ab", "logprobs": details})
    assert b"".join(piece.text for piece in pieces) == b"ab"
    assert all(piece.log_prob in {None, 1.0} and not piece.likeliest for piece in pieces)
