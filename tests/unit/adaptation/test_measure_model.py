"""Lines are measured while files are typed; each part once, whatever happens to the other."""

import threading
from pathlib import Path

import pytest

from evaluation.adaptation import measure_model
from evaluation.adaptation.measurements import BITS_FILE, TYPING
from training.foundation.errors import ConfigError, ParrotletError

WAIT_S = 20.0


@pytest.fixture
def parts(monkeypatch):
    """Replaces the three commands; returns what each was called with, in order."""
    called = []

    def record(name):
        return lambda argv: called.append((name, argv))

    for name in ("measure_bits", "measure_lines", "replay_typing"):
        monkeypatch.setattr(measure_model, name, record(name))
    return called


def write_folder(argv):
    Path(argv[argv.index("--out") + 1]).mkdir(parents=True)


def measure(folder, *more):
    words = [str(folder / "model"), "--corpus", str(folder / "corpus"), "--out", str(folder)]
    return measure_model.main([*words, "--typed", "2", *more])


def test_lines_are_measured_while_files_are_typed(tmp_path, parts, monkeypatch):
    """If it fails, half of a computer's cores have nothing to do in a quarter of the time."""
    typing, lines = threading.Event(), threading.Event()

    def type_files(argv):
        typing.set()
        assert lines.wait(WAIT_S)
        write_folder(argv)

    def complete_lines(_):
        assert typing.wait(WAIT_S)
        lines.set()

    monkeypatch.setattr(measure_model, "replay_typing", type_files)
    monkeypatch.setattr(measure_model, "measure_lines", complete_lines)
    assert measure(tmp_path) == 0
    assert (tmp_path / TYPING).is_dir()


def test_what_is_finished_is_not_measured_again(tmp_path, parts):
    (tmp_path / BITS_FILE).write_text("[]")
    (tmp_path / TYPING).mkdir()
    assert measure(tmp_path) == 0
    assert [name for name, _ in parts] == ["measure_lines"]


def test_general_code_may_be_measured_with_another_model(tmp_path, parts):
    (tmp_path / TYPING).mkdir()
    measure(tmp_path, "--general", "general.jsonl", "--general-model", "origin")
    models = [argv[argv.index("--model") + 1] for name, argv in parts if name == "measure_bits"]
    assert models == [str(tmp_path / "model"), "origin"]


def test_as_many_files_are_measured_as_are_asked_for(tmp_path, parts):
    """If it fails, a short adaptation measures for longer than it trains."""
    (tmp_path / TYPING).mkdir()
    measure(tmp_path, "--files", "7")
    (bits,) = [argv for name, argv in parts if name == "measure_bits"]
    assert bits[bits.index("--n") + 1] == "7"


def test_files_too_short_to_type_are_a_warning(tmp_path, parts, monkeypatch, capsys):
    def refuse(_):
        raise ConfigError("no file has 12 lines")

    monkeypatch.setattr(measure_model, "replay_typing", refuse)
    assert measure(tmp_path) == 0
    assert "no file has 12 lines" in capsys.readouterr().err
    assert not (tmp_path / TYPING).exists()


@pytest.mark.parametrize("part", ["replay_typing", "measure_lines"])
def test_an_error_of_either_part_is_the_commands(tmp_path, parts, monkeypatch, part):
    """If it fails, a model is judged by half of its figures, or the command hangs."""

    def fail(_):
        raise ParrotletError("the disk is full")

    monkeypatch.setattr(measure_model, "replay_typing", write_folder)
    monkeypatch.setattr(measure_model, part, fail)
    with pytest.raises(ParrotletError, match="disk is full"):
        measure(tmp_path)
