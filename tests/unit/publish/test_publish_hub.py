"""What failures of the Hub's client mean, and its patience; no request leaves the process."""

import json
import time

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from training.foundation.errors import HubError, HubUnavailableError
from training.publish import hub as hub_module
from training.publish.hub import Hub, translate_error


def answered(status):
    request = httpx2.Request("POST", "http://hub/api")
    response = httpx2.Response(status, request=request)
    return HfHubHTTPError("refused", response=response, server_message="said so\nand more")


def caused_by(cause):
    error = RuntimeError("Error while uploading 'model.safetensors' to the Hub.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        *(answered(status) for status in (408, 409, 412, 429, 500, 502, 503, 504)),
        caused_by(answered(503)),
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("too long"),
        httpx2.RemoteProtocolError("hung up"),
        json.JSONDecodeError("a page of some proxy", "<html>", 0),
        OSError("network is down"),
    ],
)
def test_what_passes_is_tried_again(error):
    """If it fails, one bad minute of the network ends a run's publishing."""
    assert isinstance(translate_error(error, "me/model"), HubUnavailableError)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (answered(401), "hf auth login, or set HF_TOKEN"),
        (answered(403), "may not write to me/model"),
        (answered(404), "the Hub has no me/model"),
        (answered(400), "the Hub refuses me/model: 400, said so"),
        (caused_by(answered(403)), "may not write to me/model"),
        (ValueError("Invalid metadata in README.md.\n- license"), "Invalid metadata in README.md."),
        (TypeError("argument must be a mapping, not NoneType"), "is not the Hub"),
        (KeyError("id"), "check HF_ENDPOINT"),
        (AttributeError("x" * 9000), "is not the Hub"),
        (RecursionError("\ud800\nmore"), "is not the Hub"),
    ],
)
def test_what_does_not_pass_is_one_sentence_with_advice(error, advice):
    """If it fails, a wrong token is tried for hours, or nobody knows what to do about it."""
    meant = translate_error(error, "me/model")
    assert not isinstance(meant, HubUnavailableError)
    assert advice in str(meant)
    assert "\n" not in str(meant)
    assert len(str(meant).encode()) < 600


def test_an_error_is_translated_once():
    """If it fails, a sentence stands within itself, and a refusal is tried again."""
    hub = Hub("me/model", shows_progress=False)
    for error in (HubError("no"), HubUnavailableError("away")):
        with pytest.raises(HubError) as raised, hub._translate_errors():
            raise error
        assert raised.value is error


def test_offline_mode_is_named():
    """If it fails, a forgotten HF_HUB_OFFLINE looks like a dead network."""
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        Hub("me/model", shows_progress=False).create(private=True)


@pytest.mark.parametrize(
    ("statuses", "answer", "n_waits"),
    [([503, 429, 200], 200, 2), ([500], 500, 0), ([401], 401, 0), ([503] * 4, 503, 3)],
)
def test_a_request_is_made_again_only_if_it_was_not_taken(monkeypatch, statuses, answer, n_waits):
    """If it fails, a busy Hub costs a whole upload, or a commit is made twice."""
    waits, left = [], list(statuses)
    monkeypatch.setattr(time, "sleep", waits.append)
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(left.pop(0)))
    with hub_module._RetryingClient(transport=transport) as client:
        assert client.post("http://hub/", json={}).status_code == answer
    assert len(waits) == n_waits
    assert left == []
