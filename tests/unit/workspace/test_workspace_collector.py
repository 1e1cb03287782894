"""What other files contribute: imported modules, similar snippets, and when to collect them."""

import time

import pytest

from server.workspace.collector import WorkspaceCollector
from server.workspace.imported_modules import Import, ImportedModules, find_imports
from server.workspace.similar_snippets import find_most_similar
from server.workspace.snapshot import WorkspaceSnapshot

TOOLS = '''
"""Tools."""
import os
LIMIT = 10
def slugify(text: str, *, most: int = LIMIT) -> str:
    return text[:most]
async def fetch(url): ...
class Store(dict):
    """A store."""
    def __init__(self, path): self.path = path
    def save(self) -> None: ...
    def _hidden(self): ...
'''


@pytest.fixture
def root(tmp_path):
    (tmp_path / "src" / "app").mkdir(parents=True)
    (tmp_path / "tools.py").write_text(TOOLS)
    (tmp_path / "src" / "app" / "__init__.py").write_text("VERSION = '1'\n")
    (tmp_path / "src" / "app" / "models.py").write_text("class User:\n    name: str\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "secrets.py").write_text("KEY = 'x'\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import a.b as c, d\n", [("a.b", ()), ("d", ())]),
        ("from a import b as c, d\n", [("a", ("b", "d")), ("a.b", ()), ("a.d", ())]),
        ("from . import x\n", [(".", ("x",)), (".x", ())]),
        (
            "from a import (  # noqa: F401\n    x,  # (the first)\n    y,\n)\n",
            [("a", ("x", "y")), ("a.x", ()), ("a.y", ())],
        ),
        ("from a import x, \\\n    y\n", [("a", ("x", "y")), ("a.x", ()), ("a.y", ())]),
        ("import a, \\\r\n    b  # c, d\n", [("a", ()), ("b", ())]),
        (
            "from ..a import (\n    x,\n    y,\n)\n",
            [("..a", ("x", "y")), ("..a.x", ()), ("..a.y", ())],
        ),
        ("    from a import *\n", [("a", ())]),
        ("from a import b  # why\n", [("a", ("b",)), ("a.b", ())]),
        ("x = 'import a'\n# import b\nimport\nfrom import\n", []),
    ],
)
def test_imports_are_read_from_lines_that_need_not_be_a_program(text, found):
    assert list(find_imports(text)) == [Import(module=m, names=n) for m, n in found]


def test_imported_modules_are_found_and_outlined(root):
    """If it fails, the model does not see what it may call, or sees what is private."""
    modules = ImportedModules([root], ())
    text = "import tools\nfrom app.models import User\nimport broken, secrets, json\n"
    found = {m.path: m for m, _ in modules.find(text, root / "main.py")}
    assert set(found) == {"tools.py", "src/app/models.py"}
    outlines = found["tools.py"].definitions
    assert outlines["slugify"] == "def slugify(text: str, *, most: int=LIMIT) -> str: ...\n"
    assert outlines["fetch"] == "async def fetch(url): ...\n"
    assert "def save(self) -> None: ..." in outlines["Store"]
    assert "_hidden" not in outlines["Store"]
    assert outlines["LIMIT"] == "LIMIT = 10\n"
    assert {"slugify", "path", "_hidden"} <= found["tools.py"].names


def test_relative_imports_and_the_file_itself(root):
    modules = ImportedModules([root], ())
    here = root / "src" / "app" / "views.py"
    text = "from . import VERSION\nfrom .models import User\nfrom .views import me\n"
    paths = [m.path for m, _ in modules.find(text, here)]
    assert [path.rpartition("/")[2] for path in paths] == ["__init__.py", "models.py"]
    assert modules.find("from ..... import x\n", here) == []
    assert modules.find("from . import x\n", None) == []


def test_a_changed_module_is_read_again(root):
    modules = ImportedModules([root], ())
    text = "import tools\n"
    assert "slugify" in modules.find(text, None)[0][0].definitions
    (root / "tools.py").write_text("def other_name_now(): ...\n")
    assert "other_name_now" in modules.find(text, None)[0][0].definitions
    (root / "tools.py").unlink()
    assert modules.find(text, None) == []


def test_the_most_similar_snippet_of_another_file_is_found():
    lines = [f"value_{i} = compute_{i}(argument_{i})" for i in range(60)]
    others = {"a.py": "\n".join(lines), "b.py": "nothing = alike\n" * 30}
    name, piece = find_most_similar("compute_42(argument_42) + value_42 + value_43", others)
    assert name == "a.py"
    assert "compute_42" in piece
    assert piece.count("\n") <= 10
    assert find_most_similar("entirely different names here", others) is None
    assert find_most_similar("", others) is None


def test_a_snapshot_lasts_while_the_cursor_is_near(root, monkeypatch):
    """If it fails, each key changes the beginning of the prompt, and no cache can be reused."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    known = WorkspaceCollector([root], ())
    uri = (root / "main.py").as_uri()
    text = "from tools import slugify\n" + "x = 1\n" * 100
    others = {uri: text, "file:///w/.env": "SECRET_NAME = 1", "file:///w/b.py": "other_name = 1\n"}
    assert known.is_due(uri, text, 40)
    first = known.collect(uri, text, 40, others)
    assert "def slugify" in first.context_text
    assert "# tools.py" in first.context_text
    assert {"slugify", "other_name"} <= first.names
    assert "SECRET_NAME" not in first.names
    typed = text.replace("x = 1", "from tools import fetch", 1)
    assert not known.is_due(uri, typed, 45)
    now[0] += 60
    assert known.is_due(uri, typed, 45)
    assert "async def fetch" in known.collect(uri, typed, 45, others).context_text
    assert not known.is_due(uri, typed, 46)
    assert known.is_due(uri, text, 500)
    assert known.is_due("file:///w/b.py", text, 500)


SECRETS = """
DB_PASSWORD = 'hunter2-correct-horse'
LONG = 'Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj9Kk0Ll1Mm2Nn3Oo4Pp5Qq6Rr7Ss8Tt9Uu0Vv1Ww2Xx3Yy4Zz5Aa6Bb7'
PORT = 5432
def connect(host, password='hunter2-correct-horse'): ...
def close(): ...
"""


def test_no_line_that_looks_like_a_secret_reaches_the_model(root):
    """If it fails, a password goes into prompts, and with `remote.url` to another machine."""
    (root / "config_values.py").write_text(SECRETS)
    others = {
        "file:///w/b.py": "def connect():\n    key = 'ghp_0123456789abcdefghijklmnopqrstuvwxyz'\n",
        "file:///w/c.py": "connect = (\n-----BEGIN PRIVATE KEY-----\nAbCdEf012345\nconnect\n",
    }
    text = "import config_values\nfrom config_values import *\nfrom config_values import LONG\n"
    text += "def connect():\n    return "
    known = WorkspaceCollector([root], ())
    found = known.collect((root / "a.py").as_uri(), text, len(text), others).context_text
    assert found == (
        "# b.py\ndef connect():\n\n# config_values.py\nPORT = 5432\ndef close(): ...\n\n"
    )


def test_only_the_workspaces_own_files_are_sent_away(root, tmp_path_factory):
    """If it fails, a team's server gets lines of another project that happens to be open."""
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(root, target_is_directory=True)
    (root / "led_out.py").symlink_to("/etc/hosts")
    inside = root / "b.py"
    line = "other_name = connect(first, second)\n"
    elsewhere = ["file:///elsewhere/b.py", "untitled:1", (root / "led_out.py").as_uri()]
    everywhere = [inside.as_uri(), *elsewhere]
    for known, uris in [
        (WorkspaceCollector([root], (), is_sent_away=True), [inside.as_uri()]),
        (WorkspaceCollector([link], (), is_sent_away=True), [inside.as_uri()]),
        (WorkspaceCollector([], (), is_sent_away=True), []),
        (WorkspaceCollector([], ()), everywhere),
    ]:
        snapshots = {
            uri: known.collect("file:///w/a.py", line, len(line), {uri: line}) for uri in everywhere
        }
        assert [uri for uri, found in snapshots.items() if found.context_text] == uris
        assert all(found.knows("other_name") for found in snapshots.values())


def test_context_is_whole_lines_within_the_budget():
    known = WorkspaceSnapshot(context_text="# a\none\ntwo\nthree\n", names=frozenset({"one"}))
    assert known.context(2, lambda _: 1) == "two\nthree\n"
    assert known.context(0, lambda _: 1) == ""
    assert known.context(99, lambda _: 1) == known.context_text
    assert known.knows("one")
    assert not known.knows("two")
