"""A model of the Hub, by the real client and the real server, from a double on the loopback."""

import pytest
from lsp_client import Client, place

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NAME = "team/parrot"
UNWANTED = ("setup.py", "training_state.safetensors", "data_position.safetensors")
ASKED = {"suggestion": {"eagerness": "always"}}


@pytest.fixture
def published(hub, tiny_artifact):
    """A repository that holds the tiny artifact and files that nobody asked for."""
    files = {path.name: path.read_bytes() for path in tiny_artifact.iterdir() if path.is_file()}
    hub.add_model(NAME, {**files, **dict.fromkeys(UNWANTED, b"raise SystemExit")})
    return hub


@pytest.fixture
def serve(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def start(model):
        return Client("--model", model)

    return start


def test_a_model_is_fetched_once_and_the_editor_sees_how_far(published, serve, known_module):
    """If it fails, a team has to tell its people where to put which files."""
    text = known_module[: known_module.index("math.pi * self.radius**2")]
    with serve(NAME) as client:
        client.initialize(options=ASKED, has_progress=True)
        client.open("file:///a.py", text)
        for is_first in (True, False):
            client.wait_for_state("ready")
            assert client.items("file:///a.py", *place(text, "return "))
            progress = [
                m["params"]["value"] for m in client.seen if m.get("method") == "$/progress"
            ]
            assert progress[0]["kind"] == "begin"
            assert progress[0]["title"] == "Parrotlet"
            assert progress[-1]["kind"] == "end"
            assert any("100%" in value.get("message", "") for value in progress) == is_first
            assert bool(published.requests) == is_first
            assert not any(name in r for r in published.requests for name in UNWANTED)
            if is_first:
                published.requests.clear()
                client.seen.clear()
                client.command("parrotlet.restart")  # another process, which loads it again


def test_what_cannot_be_fetched_is_said_with_what_to_do(hub, serve):
    with serve("team/nowhere") as client:
        client.initialize()
        status = client.wait_for_state("error")
        assert "team/nowhere: the Hugging Face Hub answered with status 404" in status["reason"]
        assert "check the name" in status["reason"]
        hub.close()
        client.seen.clear()
        client.command("parrotlet.restart")
        status = client.wait_for_state("error")
        assert "team/nowhere: the Hugging Face Hub cannot be reached" in status["reason"]
