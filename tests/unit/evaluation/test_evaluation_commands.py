"""Every command of evaluation: its help explains it, and it refuses a folder in use."""

import importlib
import os
import subprocess
import sys

import pytest

from evaluation.judge.levels.ranking import UNCONFINED
from training.foundation.folder_lock import FolderInUseError, folder_lock

COMMANDS = (
    "passk.__main__",
    "versus",
    "report",
    "problems.__main__",
    "lines",
    "infill",
    "fit",
    "fit_memory",
    "compare",
    "replay.__main__",
    "calibrate",
    "repetition",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_argument(name, capsys):
    """If it fails, users must read the source to find out what a command does."""
    main = importlib.import_module(f"evaluation.{name}").main
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    command = f"python -m evaluation.{name.removesuffix('.__main__')}"
    assert text.startswith(f"usage: {command} ")
    _, _, examples = text.partition("examples:\n")
    assert examples.startswith(f"  {command}")
    assert "``" not in text
    for line, following in zip(text.split("\n"), [*text.split("\n")[1:], ""], strict=True):
        if line.startswith("  -") and not line.startswith("  -h"):
            explained = line.strip().partition("  ")[2] or following.startswith(" " * 10)
            assert explained, line


def test_help_of_pass_at_k_needs_no_torch():
    """If it fails, users wait for seconds to read the help."""
    program = (
        "import sys; from evaluation.passk.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n"
        "    sys.exit(sorted({'torch', 'transformers', 'datasets', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "[]", done.stderr


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": "a", "kind": "mid", "prefix": "x = ", "suffix": "\\n", "target": "1"}')
    return path


def test_a_folder_in_use_is_refused_with_the_process_that_uses_it(tiny_artifact, items, tmp_path):
    """If it fails, two runs mix their samples in one file."""
    out, files = tmp_path / "out", tmp_path / "files"
    files.mkdir()
    (files / "a.py").write_text("import os\n" + "value = os.getcwd() or 1234567890\n" * 40)
    model = str(tiny_artifact)
    commands = {
        "passk.__main__": ["--model", model, "--problems", "own", "--n", "1", "--k", "1"],
        "lines": ["--model", model, "--items", str(items)],
        "infill": ["--model", model, "--items", str(items)],
        "compare": [model],
        "replay.__main__": ["--model", model, "--files", str(files), "--n", "1"],
    }
    with folder_lock(out):
        for name, arguments in commands.items():
            module = importlib.import_module(f"evaluation.{name}")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("evaluation.passk.pipeline.select_level", lambda *_, **__: UNCONFINED)
                with pytest.raises(FolderInUseError, match=f"process {os.getpid()} on"):
                    module.main([*arguments, "--out", str(out)])
        assert sorted(path.name for path in out.iterdir()) == [".lock"]
