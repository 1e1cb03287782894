"""What the memory reads of a workspace: source files, without what nobody may see."""

import os
from pathlib import Path

import pytest

from server.workspace.sources.secret_shapes import without_secrets
from server.workspace.sources.source_files import find_sources

KEY = "ghp_" + "a1B2" * 9


def read(root, globs=()):
    return {
        Path(file.path).relative_to(root).as_posix(): file.read()
        for file in find_sources([root], globs)
    }


def test_files_are_read_with_their_paths(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    (tmp_path / "b.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    (tmp_path / "notes.txt").write_text("no code")
    assert read(tmp_path) == {
        "b.py": "# -*- coding: latin-1 -*-\nname = 'é'\n",
        "package/a.py": "x = 1\ny = 2\n",
    }


def test_halves_of_surrogate_pairs_are_replaced(tmp_path):
    """If it fails, one file with a strange encoding ends the index of its workspace."""
    (tmp_path / "a.py").write_bytes(b"# coding: unicode_escape\nx = '\\ud83d\\ude00 \\ud800'\n")
    (tmp_path / "b.py").write_bytes(b"# coding: utf-7\nx = '+2AA-'\n")
    assert read(tmp_path) == {
        "a.py": "# coding: unicode_escape\nx = '\U0001f600 \ufffd'\n",
        "b.py": "# coding: utf-7\nx = '\ufffd'\n",
    }


def test_private_and_foreign_files_are_left_out(tmp_path):
    """If it fails, what a user keeps private comes back as a suggestion."""
    root = tmp_path / "root"
    (root / "internal").mkdir(parents=True)
    (tmp_path / "elsewhere.py").write_text("outside = 1\n")
    (root / "link.py").symlink_to(tmp_path / "elsewhere.py")
    (root / "my_secrets.py").write_text("hidden = 1\n")
    (root / "internal" / "a.py").write_text("hidden = 2\n")
    (root / "a.py").write_text("shown = 1\n")
    (root / "huge.py").write_text("x = 1\n" * 100_000)
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe.py")
    assert read(root, ["internal/*"]) == {"a.py": "shown = 1\n"}


@pytest.mark.parametrize(
    "line",
    [
        f"TOKEN = '{KEY}'",
        'password = "hunter2hunter2"',
        "db_password: str = 'correct-horse'",
        'config["api_key"] = "abcdefgh"',
        'AUTH = {"secret": "s3cr3t-value"}',
        "aws = 'AKIAABCDEFGHIJKLMNOP'",
        "digest = 'aB3dEfGhIjKlMnOpQrStUvWxYz0123456789'",
    ],
)
def test_lines_with_secrets_are_left_out(line):
    """If it fails, a password in one file is suggested in another."""
    assert without_secrets(f"import os\n{line}\nprint(os)\n") == "import os\nprint(os)\n"


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['PASSWORD']",
        "def check(token, secret): ...",
        "tokens = tokenizer.encode(text)",
        "password = ''",
        'raise ValueError("the token is too short")',
    ],
)
def test_code_about_secrets_stays(line):
    assert without_secrets(f"{line}\n") == f"{line}\n"


def test_nothing_is_left_of_a_file_with_a_key():
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    assert without_secrets(f'KEY = """{key}"""\nx = 1\n') == ""


def test_a_long_line_takes_linear_time():
    assert without_secrets("password " * 200_000 + "\n") != ""
