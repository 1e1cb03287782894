"""The rules of the house that a program can check; ``test_tidy.py`` runs and proves them."""

import ast
import functools
import itertools
import os
import re
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("parrotlet", "server", "training", "evaluation")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_FOLDER_FILES = 12
BUILT_FOLDERS = {"node_modules", "__pycache__", "dist"}
TRAINING_LOOP = "training/pretrain.py"
STATEMENT_FIELDS = ("body", "orelse", "finalbody", "handlers", "cases")
FORBIDDEN_NAMES = {"utils", "common", "helpers", "misc", "types"}

# The rooms of a package from the innermost out: none imports one that comes after it.
ROOMS = {
    "server": (
        *(
            "VERSION",
            "isolation",
            "user_folders",
            "syntax",
            "memory",
            "engine",
            "workspace",
            "prompt",
            "suggestion",
        ),
        *("settings", "backends", "power_supply", "adaptation", "completer", "indexing"),
        *("worker", "usage_statistics"),
        *("health_report", "settings_schema", "lsp", "demo", "cli", "__main__"),
    ),
    "training": (
        *("foundation", "artifact", "licensing", "config", "corpus_reader", "command_line"),
        *("shards", "step", "validate", "processes", "run", "average_checkpoints"),
        *("autoconfig", "launch"),
        *("vocabulary", "corpus", "cluster", "train_tokenizer", "prepare", "stream", "provenance"),
        *("index_verbatim", "publish", "pretrain", "adaptation"),
    ),
    "training.corpus": (
        *("corpus_document", "config", "readers", "fetching", "secrets", "filters"),
        *("quality", "dedup", "extraction", "selection", "output", "input_hash", "build"),
        *("lock", "overlap", "verify", "popularity", "bigquery", "__main__"),
    ),
    "evaluation": (
        *("runs", "problems", "judge", "generators", "passk", "accuracy", "insertions", "memory"),
        *("comparison", "replay", "calibrate", "compare", "fit", "fit_memory", "infill"),
        *("lines", "bits", "adaptation"),
        *("repetition", "report", "versus"),
    ),
}
# Who may import what: a module under the first may not import one under the second.
FORBIDDEN_IMPORTS = [
    (
        "parrotlet",
        "training",
        {
            "training.artifact",
            "training.autoconfig.sizing",
            "training.cluster.config",
            "training.command_line",
            "training.config",
            "training.corpus.config",
            "training.foundation",
        },
    ),
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
            "server.engine.trace",
            "server.memory",
            "server.workspace.sources.source_files",
            "server.workspace.sources.token_index",
            "server.backends.local_model",
            "server.backends.batch_settings",
            "server.backends.context_budget",
            "server.suggestion.confidence",
            "server.suggestion.explanation",
            "server.backends.completions_client",
            "server.backends.fim_templates",
            "server.suggestion.request",
            "server.settings",
            "server.user_folders",
        },
    ),
    ("evaluation", "training", {"training.artifact", "training.foundation"}),
    *(
        (f"{package}.{inner}", f"{package}.{outer}", set())
        for package, rooms in ROOMS.items()
        for inner, outer in itertools.combinations(rooms, 2)
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
    "huggingface_hub": (
        *("training.publish.hub", "training.foundation.hub.hub_files"),
        "server.backends.model_store",
    ),
    "httpx2": ("training.publish.hub",),
    "accelerate": (
        *("training.pretrain", "training.launch", "training.adaptation.training_speed"),
        *("training.run.tracking.trackers", "evaluation.runs.processes"),
    ),
    "subprocess": (
        *("evaluation.judge", "server.adaptation", "server.worker.process"),
        *("parrotlet.editor_clients", "parrotlet.pipeline"),
    ),
    "ctypes": ("evaluation.judge",),
    "pickle": (),
}
# File names that several rooms may have.
REPEATABLE_NAMES = {"__init__.py", "__main__.py", "config.py", "conftest.py"}
# Words of earlier versions for which the field has words of its own.
RETIRED_WORDS = {
    *("begun", "catalogue", "court", "dial", "dialled", "grounds", "heard", "matrices"),
    *("slot", "sureness", "surroundings", "told", "turned"),
}
# The same, where it is the whole name; as a part of one it may say something.
RETIRED_NAMES = {
    *("acceptance", "accuracy_run", "caches", "choice", "claim", "drafts", "healing", "indexes"),
    *("initial", "machine", "postprocess", "projects", "repetition"),
    *("shown", "versus", "warm", "writers"),
}
COMMANDS_NAMED_SO = {"evaluation/repetition.py", "evaluation/versus.py"}
# Functions are verbs. These are none, and end in "ed" or are irregular participles.
PARTICIPLES = {
    *("begun", "bound", "broken", "built", "caught", "chosen", "done", "drawn", "found", "given"),
    *("gone", "heard", "held", "hidden", "kept", "known", "lost", "made", "meant", "proven"),
    *("seen", "sent", "shown", "spent", "taken", "thrown", "told", "written"),
}
VERBS_IN_ED = {"embed", "exceed", "feed", "need", "proceed", "seed", "speed"}
PROBLEMS = "evaluation/problems/own"  # data: programs of problems
UNCHECKED_NAMES = {"model", "node_modules", "__pycache__", "house_rules.py", "test_tidy.py"}
TEXT_SUFFIXES = {".py", ".md", ".toml", ".sh", ".lua", ".txt", ".lock", ".yaml", ".yml", ""}
CHECKED_DOT_NAMES = {".ci", ".editorconfig", ".github", ".pre-commit-config.yaml"}
DECISION_PARTS = ("Context", "Decision", "Alternatives", "Consequences")
MAX_DECISION_WORDS = 150
FORBIDDEN_TEXT = re.compile(
    r"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian\.org|/work/(?:main|shared|state)|(?<![\w$])/root/"
)


def module_name(root, path):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(root):
    return [p for package in PACKAGES for p in sorted((root / package).rglob("*.py"))]


class Definition(NamedTuple):
    """A function or a class."""

    name: str
    is_function: bool
    is_property: bool
    n_lines: int


class Source(NamedTuple):
    """What the rules look at in a file; the syntax trees of all would take much memory and time."""

    has_docstring: bool
    imports: list[str]
    definitions: list[Definition]


def read_source(path):
    return parse(path.read_text(encoding="utf-8"))


@functools.cache
def parse(text):
    """Returns what several rules look at: each file is parsed once."""
    tree = ast.parse(text)
    source = Source(ast.get_docstring(tree) is not None, [], [])
    statements = [tree]
    for node in statements:  # which grows meanwhile; no rule looks at expressions
        for field in STATEMENT_FIELDS:
            statements += getattr(node, field, ())
        if isinstance(node, ast.Import):
            source.imports.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source.imports.append(node.module)
            source.imports.extend(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            source.definitions.append(define(node))
    return source


def define(node):
    is_function = not isinstance(node, ast.ClassDef)
    begin = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
    return Definition(node.name, is_function, is_property(node), node.end_lineno - begin)


def is_property(node):
    names = {getattr(d, "id", getattr(d, "attr", "")) for d in node.decorator_list}
    return bool(names & {"property", "cached_property"})


def is_within(name, package):
    return name == package or name.startswith(package + ".")


def import_faults(root):
    for path in sources(root):
        name = module_name(root, path)
        rules = [rule for who, *rule in FORBIDDEN_IMPORTS if is_within(name, who)]
        closed = [lib for lib, doors in DOORS.items() if not any(is_within(name, d) for d in doors)]
        for imported in sorted(set(read_source(path).imports)):
            if any(is_forbidden(imported, what, allowed) for what, allowed in rules) or any(
                is_within(imported, library) for library in closed
            ):
                yield f"{name} imports {imported}"


def is_forbidden(imported, what, allowed):
    return is_within(imported, what) and not any(
        is_within(imported, a) or is_within(a, imported) for a in allowed
    )


def size_faults(root):
    for path in [*sources(root), *sorted((root / "tests").rglob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > MAX_FILE_LINES:
            yield f"{path.relative_to(root)} has over {MAX_FILE_LINES} lines"
        if path.is_relative_to(root / "tests") or path == root / TRAINING_LOOP:
            continue
        for definition in parse(text).definitions:
            if definition.is_function and definition.n_lines > MAX_FUNCTION_LINES:
                yield (
                    f"{path.relative_to(root)}: {definition.name} has {definition.n_lines} lines"
                )


def folder_faults(root):
    for top in (*PACKAGES, "tests", "editor-client"):
        for folder, folders, names in os.walk(root / top):
            folders[:] = sorted(set(folders) - BUILT_FOLDERS)
            for ending in ("py", "ts", "lua"):
                n = sum(name.endswith(f".{ending}") for name in names)
                if n > MAX_FOLDER_FILES:
                    yield f"{Path(folder).relative_to(root)} has {n} files, over {MAX_FOLDER_FILES}"


def repetition_faults(root):
    tests = [p for p in sorted((root / "tests").rglob("*.py")) if not BUILT_FOLDERS & set(p.parts)]
    for paths in (sources(root), tests):  # tests are imported by their base names
        named = defaultdict(list)
        for path in paths:
            named[path.name].append(path.relative_to(root).as_posix())
        for name, found in named.items():
            if len(found) > 1 and name not in REPEATABLE_NAMES:
                yield f"{name} is there {len(found)} times: {', '.join(found)}"


def room_faults(root):
    """Every room has a place in the order of its package."""
    for package, rooms in ROOMS.items():
        folder = root / package.replace(".", "/")
        for path in sorted(folder.glob("*")):
            is_room = (path / "__init__.py").exists() or path.suffix == ".py"
            if is_room and path.stem != "__init__" and path.stem not in rooms:
                yield f"{path.relative_to(root)} has no place in the order of {package}"


def words(name):
    return [w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def is_retired(name):
    return bool(RETIRED_WORDS & set(words(name))) or "_".join(words(name)) in RETIRED_NAMES


def is_participle(name):
    (*before, last) = words(name) or [""]
    return not before and last not in VERBS_IN_ED and (last.endswith("ed") or last in PARTICIPLES)


def word_faults(root):
    for path in sources(root):
        where = path.relative_to(root).as_posix()
        if where.startswith(PROBLEMS):
            continue
        if is_retired(path.stem) and where not in COMMANDS_NAMED_SO:
            yield f"{where} has a name that is retired"
        for name, is_function, is_property, _ in read_source(path).definitions:
            if is_retired(name):
                yield f"{where}: the name {name} is retired"
            elif is_function and not is_property and is_participle(name):
                yield f"{where}: {name} is a participle; functions are verbs"


def name_faults(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    required = project["dependencies"] + [
        r for extra in project.get("optional-dependencies", {}).values() for r in extra
    ]
    libraries = {re.match(r"[A-Za-z0-9_-]+", r)[0].replace("-", "_") for r in required}
    for path in sources(root):
        if path.stem in FORBIDDEN_NAMES | libraries - {"parrotlet"}:
            yield f"{path.relative_to(root)} has a name that means nothing, or a library"
        if not read_source(path).has_docstring:
            yield f"{path.relative_to(root)} says not what it is for"


def text_faults(root):
    for path in text_files(root):
        found = FORBIDDEN_TEXT.search(path.read_text(encoding="utf-8", errors="replace"))
        if found:
            yield f"{path.relative_to(root)} names {found[0]}"


def text_files(root):
    """Yields what people wrote; environments and what was downloaded or built are not entered."""
    for folder, folders, names in os.walk(root):
        checked = {*folders, *names} - UNCHECKED_NAMES
        if Path(folder) == root:
            dot_names = {name for name in checked if name.startswith(".")}
            checked -= (dot_names - CHECKED_DOT_NAMES) | {"runs"}
        folders[:] = sorted(checked.intersection(folders))
        for name in sorted(checked.intersection(names)):
            path = Path(folder, name)
            if path.suffix in TEXT_SUFFIXES and path.is_file():
                yield path


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


def decision_faults(root):
    page = root / "DECISIONS.md"
    if not page.exists():
        return
    for entry in page.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = entry.partition("\n")
        if len(text.split()) > MAX_DECISION_WORDS:
            yield f"the decision {title!r} has {len(text.split())} words"
        parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
        if tuple(parts) != DECISION_PARTS:
            yield f"the decision {title!r} has the parts {parts}"


RULES = [
    *(import_faults, room_faults, size_faults, folder_faults, repetition_faults),
    *(name_faults, word_faults, text_faults, tree_faults, decision_faults),
]
