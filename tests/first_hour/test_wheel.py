"""The wheel in an environment of its own, outside the checkout, beside others of the same names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lsp_client import Client
from stranger import ROOT

sys.path.insert(0, str(ROOT))
from parrotlet.commands import COMMANDS

pytestmark = [pytest.mark.first_hour, pytest.mark.timeout(1200)]

PLANTED = "raise SystemExit('a file of the user was imported')\n"


@pytest.fixture(scope="session")
def wheel(stranger):
    stranger.run(f"{sys.executable} -m pip wheel --quiet --no-deps --wheel-dir dist .")
    (path,) = (stranger.clone / "dist").glob("parrotlet-*.whl")
    return path


@pytest.fixture(scope="session")
def environment(stranger, wheel, tmp_path_factory):
    """An environment with the wheel and all its commands, and a distribution that has our names."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    constraints = stranger.clone / "constraints.txt"
    stranger.run(f"env/bin/python -m pip install --quiet -c {constraints} {wheel}", folder=folder)
    (site,) = (folder / "env/lib").glob("python*/site-packages")
    for name in ("server", "training", "evaluation"):
        assert not (site / name).exists()
        (site / name).mkdir()
        (site / name / "__init__.py").write_text(PLANTED)
    return folder / "env"


@pytest.fixture
def hostile(tmp_path):
    """A working folder, also on PYTHONPATH, with modules that stop whoever imports them."""
    for name in ("server", "evaluation"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(PLANTED)
    (tmp_path / "training.py").write_text(PLANTED)
    return tmp_path


def run(stranger, environment, hostile, *arguments, code=0):
    done = subprocess.run(
        [environment / "bin" / arguments[0], *arguments[1:]],
        cwd=hostile,
        env={**stranger.environment(), "PYTHONPATH": str(hostile)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_it_puts_one_name_into_site_packages(environment):
    """If it fails, installing or removing another distribution can break ours, or ours theirs."""
    (record,) = environment.glob("lib/python*/site-packages/parrotlet-*.dist-info/RECORD")
    names = {line.split("/")[0] for line in record.read_text().splitlines()}
    assert names == {"parrotlet", record.parent.name, ".."}


def test_the_base_names_what_is_missing(stranger, environment, hostile):
    """If it fails, a command of the help ends in a traceback."""
    done = run(stranger, environment, hostile, "parrotlet", "corpus", "--help", code=3)
    assert "the 'train' packages" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_demo_and_the_editors_clients_are_there(stranger, environment, hostile):
    """If it fails, who has only the wheel has no ghost text."""
    out = run(stranger, environment, hostile, "parrotlet", "demo").stdout
    assert out.count(" ms") >= 3
    for line in out.splitlines():
        for word in line.split():
            if word.startswith("/"):
                assert Path(word.strip("'();")).exists(), word
    for editor in ("nvim", "vscode"):
        out = run(stranger, environment, hostile, "parrotlet", "editors", editor).stdout
        assert Path(out.splitlines()[0]).exists()
    run(stranger, environment, hostile, "parrotlet", "editors", "nvim", "--install")
    link = stranger.home / ".local/share/nvim/site/pack/parrotlet/start/parrotlet"
    assert (link / "plugin" / "parrotlet.lua").is_file()


def test_the_server_answers(stranger, environment, hostile, monkeypatch):
    """If it fails, an editor with the wheel's server shows nothing."""
    monkeypatch.chdir(hostile)
    monkeypatch.setenv("PYTHONPATH", str(hostile))
    with Client(command=[environment / "bin" / "parrotlet-server"]) as client:
        client.initialize(root=hostile)
        uri = (hostile / "app.py").as_uri()
        client.open(uri, "import os\n\n\ndef main(folder, name):\n    path = os.path.jo")
        reply = client.reply(client.ask(uri, 4, 21, triggerKind=1))
    assert reply["result"]["items"][0]["insertText"].startswith("in(")


def test_it_judges(stranger, environment, hostile):
    """If it fails, who has only the wheel cannot measure a model."""
    run(
        stranger, environment, hostile, "parrotlet", "passk", "--canonical", "--out", "out",
    )  # fmt: skip
    summary = json.loads((hostile / "out" / "summary.json").read_text())
    assert "164" in json.dumps(summary)


def test_every_command_explains_itself(stranger, environment, wheel, hostile):
    """If it fails, a command of the help does not exist in the wheel."""
    constraints = stranger.clone / "constraints.txt"
    stranger.run(
        f"{environment}/bin/python -m pip install --quiet -c {constraints}"
        f" '{wheel}[train,evaluate]'"
    )
    for name, command in COMMANDS.items():
        if command.extra in {"", "train", "evaluate"}:
            out = run(stranger, environment, hostile, "parrotlet", name, "--help").stdout
            assert out.startswith("usage: parrotlet"), name


def test_no_file_names_a_module_of_the_checkout(environment):
    """If it fails, an import was left as it is in a checkout."""
    (package,) = environment.glob("lib/python*/site-packages/parrotlet")
    left = [
        f"{path.relative_to(package)}: {line}"
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.lstrip().startswith(("from server", "from training", "from evaluation"))
        and "import" in line
    ]
    assert left == []
