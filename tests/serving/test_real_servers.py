"""The bundled model behind real servers suggests what it suggests on this machine.

``make serving`` installs ``transformers serve`` into an environment of its own. vLLM is found on
the PATH, or in the environments that ``SERVING_ENVIRONMENTS`` lists, separated by colons.
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from server.completer import Completer
from server.settings import EngineSettings, RemoteSettings, Settings
from server.suggestion.request import CompletionRequest
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import WEIGHTS_FILE

pytestmark = [pytest.mark.serving, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
START_S = 400
ENGINE = EngineSettings(precision="float32")
VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_NO_USAGE_STATS": "1",
}


def transformers_command(program, port):
    options = ("--device", "cpu", "--dtype", "float32", "--port", str(port))
    return [program, "serve", str(BUNDLED_MODEL), *options], str(BUNDLED_MODEL)


def vllm_command(program, port):
    options = ("--dtype", "float32", "--max-model-len", "1024", "--enforce-eager")
    names = ("--served-model-name", "bundled", "--max-num-seqs", "16", "--port", str(port))
    return [program, "serve", str(BUNDLED_MODEL), *options, *names], "bundled"


COMMANDS = {"transformers": transformers_command, "vllm": vllm_command}


def find_program(name):
    folders = os.environ.get("SERVING_ENVIRONMENTS", str(ROOT / ".venv-serving")).split(":")
    path = os.pathsep.join(str(Path(folder) / "bin") for folder in folders)
    # The project's own environment has transformers without what its server needs.
    found = shutil.which(name, path=path) or (name == "vllm" and shutil.which(name))
    if not found:
        pytest.skip(f"{name} is not installed in an environment for servers (make serving)")
    return found


@pytest.fixture(scope="module", params=COMMANDS)
def server(request, tmp_path_factory):
    """Name, URL and name of the model of a server that is ready."""
    program = find_program(request.param)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, model = COMMANDS[request.param](program, port)
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | VARIABLES, cwd=log.parent
        )
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/health", log)
        yield request.param, f"http://127.0.0.1:{port}", model
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def wait_until_ready(process, url, log):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


@pytest.fixture(scope="module")
def small_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("member") / "model"
    shutil.copytree(BUNDLED_MODEL, folder, ignore=shutil.ignore_patterns(WEIGHTS_FILE))
    return folder


def requests_in(text, n):
    chance = random.Random(2)
    for number in range(n):
        at = chance.randrange(600, len(text) - 200)
        after = text[at + chance.randrange(0, 60) :][:400] if number % 3 else ""
        yield CompletionRequest(text=text[:at] + after, offset=at, is_asked_for=True)


def test_a_real_server_suggests_what_the_engine_suggests(server, small_files):
    """If it fails, a team's server suggests worse than the same model on a laptop."""
    name, url, model = server
    remote = RemoteSettings(url=url, model=model, tokenizer=str(small_files), timeout_s=120)
    served = Completer.load(settings=Settings(engine=ENGINE, remote=remote))
    local = Completer.load(BUNDLED_MODEL, Settings(engine=ENGINE))
    text = Path(argparse.__file__).read_text(encoding="utf-8")[:6000]
    n_equal = n_shown = n_sure = 0
    requests = list(requests_in(text, 24 if name == "vllm" else 12))
    for request in requests:
        expected, found = local.complete(request), served.complete(request)
        n_equal += found.suggestion.text == expected.suggestion.text
        n_shown += bool(expected.suggestion.text)
        if name == "vllm" and expected.suggestion.text:
            sure = expected.suggestion.confidence
            assert found.suggestion.confidence <= sure + 0.05
            n_sure += found.suggestion.confidence >= sure - 0.05
    assert n_shown > len(requests) / 4
    # As text, the tokens that healing chose may be cut into others by the server's tokenizer.
    assert n_equal >= (1.0 if name == "vllm" else 0.9) * len(requests)
    # Of a word that the server finds unlikely, only a lower bound is known.
    assert name != "vllm" or n_sure >= 0.8 * n_shown
