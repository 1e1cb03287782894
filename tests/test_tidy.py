"""The rules of the house that a program can see; each is tried on a planted violation too."""

import ast
import itertools
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("parrotlet", "server", "training", "evaluation")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
TRAINING_LOOP = "training/pretrain.py"
FORBIDDEN_NAMES = {"utils", "common", "helpers", "misc", "types"}

# From the innermost out: none imports one that comes later.
TRAINING_ROOMS = (
    "foundation",
    "artifact",
    "shards",
    "step",
    "processes",
    "run",
    "autoconfig",
    "pretrain",
)
# Who may import what: a module under the first may not import one under the second.
FORBIDDEN_IMPORTS = [
    ("parrotlet", "training", {"training.artifact", "training.foundation"}),
    ("parrotlet", "evaluation", set()),
    ("server", "parrotlet", set()),
    ("training", "parrotlet", set()),
    ("evaluation", "parrotlet", set()),
    ("server", "training", {"training.artifact", "training.foundation"}),
    ("server", "evaluation", set()),
    ("training", "server", set()),
    ("training", "evaluation", set()),
    ("training.artifact", "training", {"training.artifact", "training.foundation"}),
    ("training.foundation", "training", {"training.foundation"}),
    ("training.foundation", "server", set()),
    (
        "evaluation",
        "server",
        {
            "server.completer",
            "server.suggestion.confidence",
            "server.suggestion.explanation",
            "server.backends.model_store",
            "server.suggestion.request",
            "server.settings",
        },
    ),
    ("evaluation", "training", {"training.artifact", "training.foundation"}),
    *(
        (f"training.{behind}", f"training.{before}", set())
        for behind, before in itertools.combinations(TRAINING_ROOMS, 2)
    ),
    ("evaluation.judge.inside", "training", set()),
    ("evaluation.judge.inside", "server", set()),
]
# A library, and the modules that may import it.
DOORS = {
    "pygls": ("server.lsp", "server.__main__"),
    "lsprotocol": ("server.lsp", "server.__main__"),
    "tree_sitter": ("server.syntax.parse_tree",),
    "tree_sitter_python": ("server.syntax.parse_tree",),
    "google": ("training.corpus.bigquery",),
    "datatrove": ("training.cluster",),
    "huggingface_hub": ("training.publish.hub", "server.backends.model_store"),
    "httpx2": ("training.publish.hub",),
    "accelerate": ("training.pretrain", "training.launch", "evaluation.runs.processes"),
    "subprocess": ("evaluation.judge", "server.worker.host", "parrotlet.editor_clients"),
    "ctypes": ("evaluation.judge",),
    "pickle": (),
}
FORBIDDEN_TEXT = re.compile(
    r"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian\.org|/work/(?:main|shared|state)|(?<![\w$])/root/"
)


def module_name(root, path):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(root):
    return [p for package in PACKAGES for p in sorted((root / package).rglob("*.py"))]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name, package):
    return name == package or name.startswith(package + ".")


def import_faults(root):
    for path in sources(root):
        name = module_name(root, path)
        for imported in imports(path):
            for who, what, allowed in FORBIDDEN_IMPORTS:
                if (
                    is_within(name, who)
                    and is_within(imported, what)
                    and imported != what
                    and not any(is_within(imported, a) or is_within(a, imported) for a in allowed)
                ):
                    yield f"{name} imports {imported}"
            for library, doors in DOORS.items():
                if is_within(imported, library) and not any(is_within(name, d) for d in doors):
                    yield f"{name} imports {imported}"


def size_faults(root):
    for path in [*sources(root), *sorted((root / "tests").rglob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > MAX_FILE_LINES:
            yield f"{path.relative_to(root)} has over {MAX_FILE_LINES} lines"
        if path.is_relative_to(root / "tests") or path == root / TRAINING_LOOP:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - (
                    node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
                )
                if lines > MAX_FUNCTION_LINES:
                    yield f"{path.relative_to(root)}: {node.name} has {lines} lines"


def name_faults(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    required = project["dependencies"] + [
        r for extra in project.get("optional-dependencies", {}).values() for r in extra
    ]
    libraries = {re.match(r"[A-Za-z0-9_-]+", r)[0].replace("-", "_") for r in required}
    for path in sources(root):
        if path.stem in FORBIDDEN_NAMES | libraries - {"parrotlet"}:
            yield f"{path.relative_to(root)} has a name that means nothing, or a library"
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None:
            yield f"{path.relative_to(root)} says not what it is for"


def text_faults(root):
    skipped = {"model", "node_modules", "__pycache__"}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if (
            skipped & set(relative.parts)
            or relative.parts[0] == "runs"
            or (relative.parts[0].startswith(".") and relative.parts[0] != ".ci")
            or not path.is_file()
            or path.suffix not in {".py", ".md", ".toml", ".sh", ".lua", ".txt", ".lock", ""}
            or path.name == "test_tidy.py"
        ):
            continue
        found = FORBIDDEN_TEXT.search(path.read_text(encoding="utf-8", errors="replace"))
        if found:
            yield f"{relative} names {found[0]}"


def tree_faults(root):
    page = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = page.split("## The tree")[1].split("```text\n")[1].split("```")[0]
    listed, folders = set(), []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name, _, duty = line.strip().partition(" ")
        folders[depth:] = [name.rstrip("/")]
        path = Path(*folders)
        listed.add(path)
        if not (root / path).exists() or (root / path).is_dir() != name.endswith("/"):
            yield f"the tree lists {path}, which is not there"
        if not duty.strip() and not name.endswith("/"):
            yield f"the tree gives {path} no duty"
    for package in PACKAGES:
        for path in sorted((root / package).iterdir()):
            if path.name != "__pycache__" and path.relative_to(root) not in listed:
                yield f"the tree lacks {path.relative_to(root)}"


RULES = [import_faults, size_faults, name_faults, text_faults, tree_faults]


@pytest.mark.parametrize("rule", RULES)
def test_the_house_is_in_order(rule):
    assert list(rule(ROOT)) == []


@pytest.fixture
def house(tmp_path):
    """A small house in order."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('"""A package."""\n')
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndependencies = ['torch>=2']\n")
    tree = "".join(f"{p}/\n  __init__.py  the package\n" for p in PACKAGES)
    (tmp_path / "ARCHITECTURE.md").write_text(f"## The tree\n\n```text\n{tree}```\n")
    assert [fault for rule in RULES for fault in rule(tmp_path)] == []
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "file", "text", "fault"),
    [
        (import_faults, "server/a.py", "import training.prepare", "server.a imports"),
        (import_faults, "server/a.py", "from training import prepare", "server.a imports"),
        (import_faults, "evaluation/a.py", "from server.lsp import x", "evaluation.a imports"),
        (import_faults, "training/a.py", "import subprocess", "training.a imports"),
        (import_faults, "training/step/a.py", "import training.run.b", "training.step.a imports"),
        (import_faults, "server/a.py", "from pygls import x", "server.a imports"),
        (import_faults, "training/a.py", "import pickle", "training.a imports"),
        (size_faults, "server/a.py", "x = 1\n" * 401, "over 400 lines"),
        (size_faults, "server/a.py", "def f():\n" + "    x = 1\n" * 41, "f has 41 lines"),
        (name_faults, "server/utils.py", '"""x"""', "means nothing"),
        (name_faults, "training/torch.py", '"""x"""', "or a library"),
        (name_faults, "server/a.py", "x = 1", "says not what"),
        (text_faults, "server/a.py", "URL = 'https://pypi.org/simple'", "names pypi.org"),
        (tree_faults, "server/a.py", "", "lacks server/a.py"),
    ],
)
def test_each_rule_sees_a_violation(house, rule, file, text, fault):
    """If it fails, a rule of this file holds nothing up."""
    (house / file).parent.mkdir(exist_ok=True)
    (house / file).write_text(text)
    assert [f for f in rule(house) if fault in f]


def test_the_tree_may_not_list_what_is_gone(house):
    (house / "server" / "__init__.py").unlink()
    assert any("is not there" in fault for fault in tree_faults(house))
