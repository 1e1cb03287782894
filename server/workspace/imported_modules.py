"""The workspace's modules that a document imports, and outlines of what they define.

Only files in the workspace are read (:mod:`server.workspace.module_file`), never installed
packages, and nothing is run. A module is read again once its file has changed.
"""

import ast
import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from server.workspace.module_file import ModuleFile, find_module_file, read_module_file
from server.workspace.sources.secret_shapes import without_secrets

_MAX_MODULES = 256  # in the cache
_MAX_IMPORTS = 32  # per document
_MAX_TEXT_CHARS = 1 << 20  # of a document; imports come first
_IMPORT = re.compile(  # bounds keep it linear: 10,000 lines may open a bracket that none closes
    r"^[ \t]*(?:from[ \t]+(?P<source>[\w.]+)[ \t]+import[ \t]+(?P<names>\([^)]{0,4000}\)|[^\n#]+)"
    r"|import[ \t]+(?P<modules>[\w., \t]+))",
    re.MULTILINE,
)
_LEFT_OUT = re.compile(r"#[^\n]*|\\\r?\n")  # comments, and line ends that do not count
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module of the workspace.

    Attributes:
        path: Relative to its root, for display.
        definitions: Each top-level name and the lines that outline it.
        names: All identifiers in its text.
    """

    path: str
    definitions: dict[str, str]
    names: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Import:
    """A module that is imported, and the names imported from it; empty for all of it."""

    module: str
    names: tuple[str, ...]


class ImportedModules:
    """Finds and reads modules.

    Args:
        roots: Folders to search, each with its ``src``.
        private_globs: The user's private files.
    """

    def __init__(self, roots: Sequence[Path], private_globs: Sequence[str]) -> None:
        self._roots = [folder for root in roots for folder in (root, root / "src")]
        self._globs = private_globs
        self._targets = [Path(os.path.realpath(root)) for root in roots]
        self._read: OrderedDict[Path, tuple[ModuleFile, Module | None]] = OrderedDict()

    def find(self, text: str, path: Path | None) -> list[tuple[Module, Import]]:
        """Returns the workspace's modules that a document imports, in its order.

        Args:
            text: The document's.
            path: Its file, for relative imports; None if it has none.
        """
        found = []
        for wanted in islice(find_imports(text[:_MAX_TEXT_CHARS]), _MAX_IMPORTS):
            for file in self._files(wanted.module, path):
                module = self._module(file)
                if module is not None and file != path:
                    found.append((module, wanted))
                    break
        return found

    def _files(self, module: str, path: Path | None) -> Iterator[Path]:
        """Yields the files that may hold a module."""
        name = module.lstrip(".")
        n_dots = len(module) - len(name)
        parts = name.split(".") if name else []
        folders = self._roots
        if n_dots:
            if path is None or len(path.parents) < n_dots:
                return
            folders = [path.parents[n_dots - 1]]
        for folder in folders:
            base = folder.joinpath(*parts)
            if parts:
                yield base.with_name(f"{base.name}.py")
            yield base / "__init__.py"

    def _module(self, path: Path) -> Module | None:
        file = find_module_file(path, self._targets, self._globs)
        if file is None:
            return None
        known = self._read.get(path)
        if known is None or known[0] != file:
            known = (file, self._parse(path, file))
        self._read[path] = known
        self._read.move_to_end(path)
        if len(self._read) > _MAX_MODULES:
            self._read.popitem(last=False)
        return known[1]

    def _parse(self, path: Path, file: ModuleFile) -> Module | None:
        shown = next(
            (path.relative_to(root) for root in self._roots if path.is_relative_to(root)), None
        )
        text = None if shown is None else read_module_file(file)
        if shown is None or text is None:
            return None
        try:
            definitions = dict(_outline_definitions(ast.parse(text)))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
        return Module(
            path=shown.as_posix(),
            definitions=definitions,
            names=frozenset(_NAME.findall(text)),
        )


def find_imports(text: str) -> Iterator[Import]:
    """Yields what a text imports, by its lines; the text need not be valid Python."""
    for match in _IMPORT.finditer(_LEFT_OUT.sub(" ", text)):
        if match["modules"]:
            for part in match["modules"].split(","):
                module = part.split()[0] if part.split() else ""
                if module:
                    yield Import(module=module, names=())
            continue
        names = [
            part.split()[0] for part in match["names"].strip("() \t\n").split(",") if part.split()
        ]
        taken = tuple(name for name in names if name.isidentifier())
        source = match["source"]
        yield Import(module=source, names=taken)
        dot = "" if source.endswith(".") else "."
        for name in taken:  # the name may be a module itself
            yield Import(module=f"{source}{dot}{name}", names=())


def _outline_definitions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yields top-level names and their outlines, of one or a few lines."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, f"{_signature(node)}\n"
        elif isinstance(node, ast.ClassDef):
            bases = ", ".join(map(ast.unparse, node.bases))
            head = f"class {node.name}({bases}):" if bases else f"class {node.name}:"
            members = [
                f"    {_signature(member)}"
                for member in node.body
                if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef))
                and (not member.name.startswith("_") or member.name == "__init__")
            ]
            yield node.name, "\n".join([head, *(members or ["    ..."])]) + "\n"
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
                value = ast.unparse(node.value)
                if without_secrets(f"{target.id} = {value}"):  # of which half would look like none
                    yield target.id, f"{target.id} = {value[:80]}\n"


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return f"{word} {node.name}({ast.unparse(node.args)}){returns}: ..."
