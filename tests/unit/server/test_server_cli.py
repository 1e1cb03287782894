"""The shell commands: what they print and how they fail."""

import re
import shutil
import subprocess
import sys

import pytest

from server.adaptation.adapted_models import create_model
from server.cli import main
from server.completer import Completer
from server.demo import SNIPPETS, render
from server.suggestion.explanation import reason_sentence


@pytest.fixture
def source(tmp_path, known_module):
    path = tmp_path / "shapes.py"
    path.write_text(known_module[: known_module.index("i * self.radius**2")], encoding="utf-8")
    return path


def test_complete_prints_what_an_editor_would_show(source, tiny_artifact, capsys):
    """Line and column count from 1, as editors and compilers print them."""
    lines = source.read_text().split("\n")
    place = f"{source}:{len(lines)}:{len(lines[-1]) + 1}"
    assert main(["complete", place, "--model", str(tiny_artifact)]) == 0
    assert capsys.readouterr().out == "i * self.radius**2\n"


def test_complete_uses_the_model_adapted_to_the_repository(
    source, tiny_artifact, capsys, tmp_path, monkeypatch
):
    """If it fails, the shell does not print what the editor would suggest there."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    model = create_model(tmp_path, "")
    shutil.copytree(tiny_artifact, model.folder / "artifacts" / "0001")
    model.update(version="0001")
    lines = source.read_text().split("\n")
    place = f"{source}:{len(lines)}:{len(lines[-1]) + 1}"
    loaded, load = [], Completer.load

    def note(*, settings):
        loaded.append(settings.model)
        return load(settings=settings)

    monkeypatch.setattr(Completer, "load", note)
    assert main(["complete", place]) == 0
    assert capsys.readouterr().out == "i * self.radius**2\n"
    assert main(["complete", place, "--model", str(tiny_artifact)]) == 0
    assert loaded == [str(model.folder / "artifacts" / "0001"), str(tiny_artifact)]


def test_complete_suggests_nothing_in_a_private_file(tmp_path, capsys):
    """If it fails, a file that holds secrets is read by a model after all."""
    path = tmp_path / "secrets.py"
    path.write_text("KEY = 'x'\n")
    assert main(["complete", f"{path}:1:1", "--model", str(tmp_path / "none")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Private file" in captured.err


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ("{source}:9999:1", 2, "past the end of the text (line 9999 of"),
        ("{source}:1:999", 2, "past the end of the text (column 999 of"),
        ("{source}:0:1", 2, "not of the form FILE:LINE:COL"),
        ("{source}", 2, "not of the form FILE:LINE:COL"),
        ("{source}:1:x", 2, "not of the form FILE:LINE:COL"),
        ("{source}.none:1:1", 2, "No such file"),
        ("{binary}:1:1", 2, "not UTF-8"),
        ("{folder}:1:1", 2, "Is a directory"),
    ],
)
def test_mistakes_get_one_sentence(source, tiny_artifact, capsys, place, code, said):
    """A traceback tells a user nothing."""
    folder = source.parent
    binary = folder / "binary"
    binary.write_bytes(b"ab\xff\xfe")
    place = place.format(source=source, binary=binary, folder=folder)
    assert main(["complete", place, "--model", str(tiny_artifact)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_a_missing_model_is_a_missing_prerequisite(source, tmp_path, capsys):
    """Scripts tell a wrong call from a machine that is not set up by the exit code."""
    assert main(["complete", f"{source}:1:1", "--model", str(tmp_path / "none")]) == 3
    assert "none" in capsys.readouterr().err


def test_demo_completes_and_tells_how_to_connect(tiny_artifact, capsys):
    """The first thing a new user sees."""
    assert main(["demo", "--model", str(tiny_artifact)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out  # not a terminal
    assert len(re.findall(r"\(\d+ ms, \d+ tokens\)", out)) == 3
    last = out.rstrip("\n").split("\n")[-2:]
    assert re.fullmatch(r" *VS Code +(make vscode .*)?(\S+) editors vscode --install", last[0])
    command = re.fullmatch(r" *Neovim +(\S+) editors nvim --install", last[1])[1]
    assert subprocess.run([command, "editors", "nvim"], check=True, capture_output=True).stdout
    assert re.search(r"loaded in \d+\.\d s\n", out)


def test_ghost_text_stands_out_in_colour(tiny_artifact):
    """Colour tells the suggestion from the code around it."""
    completer = Completer.load(tiny_artifact)
    result = completer.complete(SNIPPETS[2].request)
    text = render(SNIPPETS[2], result, has_colour=True)
    assert "\x1b[3;90m" in text
    plain = re.sub("\x1b\\[[0-9;]*m", "", text)
    assert (result.suggestion.text or reason_sentence(result.reason)) in plain
    assert SNIPPETS[2].request.text.split("\n")[0] in plain


def test_a_reader_that_has_read_enough_ends_a_command_quietly():
    """If it fails, "parrotlet demo | head" ends in a traceback."""
    program = (
        "import sys; from training.foundation.errors import run_main\n"
        "def main(_):\n"
        "    while True:\n"
        "        print('x' * 1000, flush=True)\n"
        "sys.exit(run_main(main, []))"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(1) == b"x"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 141
