"""The workspace's own modules, as far as a document imports them: what they define, in short.

Only files within the workspace are read, never what is installed, and nothing is run. A module is
read again when its file has changed. Files of secrets are left alone, as are long ones.
"""

import ast
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.suggestion.privacy import is_private

_MOST_BYTES = 256 << 10
_MOST_MODULES = 256  # remembered
_MOST_IMPORTS = 32  # of a document
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<source>\.*[\w.]*)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n#]+)"
    r"|import[ \t]+(?P<modules>[\w., \t]+))",
    re.MULTILINE,
)
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class Module:
    """What a module of the workspace has.

    Attributes:
        path: As it is shown, relative to its root.
        definitions: A name defined at the outermost level, and lines that tell of it.
        names: All names that stand in its text.
    """

    path: str
    definitions: dict[str, str]
    names: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Import:
    """A module that is imported, and the names taken from it; none for all."""

    module: str
    names: tuple[str, ...]


class Modules:
    """Reads modules of some roots.

    Args:
        roots: Folders; a module is looked for in each, and in its ``src``.
        private_globs: Files that the user wants left alone.
    """

    def __init__(self, roots: Sequence[Path], private_globs: Sequence[str]) -> None:
        self._roots = [folder for root in roots for folder in (root, root / "src")]
        self._globs = private_globs
        self._read: OrderedDict[Path, tuple[tuple[int, int], Module | None]] = OrderedDict()

    def imported_by(self, text: str, path: Path | None) -> list[tuple[Module, Import]]:
        """Returns the workspace's modules that a document imports, in its order.

        Args:
            text: The document's.
            path: Where it stands, for relative imports; None if it is no file.
        """
        found = []
        for wanted in list(imports_of(text))[:_MOST_IMPORTS]:
            for file in self._files(wanted.module, path):
                module = self._module(file)
                if module is not None and file != path:
                    found.append((module, wanted))
                    break
        return found

    def _files(self, module: str, path: Path | None) -> Iterator[Path]:
        """Yields where a module may stand."""
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

    def _module(self, file: Path) -> Module | None:
        try:
            stat = file.stat()
        except (OSError, ValueError):  # ValueError: a name that no file can have
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._read.get(file)
        if known is None or known[0] != stamp:
            known = (stamp, self._read_module(file, stat.st_size))
        self._read[file] = known
        self._read.move_to_end(file)
        if len(self._read) > _MOST_MODULES:
            self._read.popitem(last=False)
        return known[1]

    def _read_module(self, file: Path, n_bytes: int) -> Module | None:
        shown = next(
            (file.relative_to(root) for root in self._roots if file.is_relative_to(root)), None
        )
        if shown is None or n_bytes > _MOST_BYTES or is_private(file.as_uri(), self._globs):
            return None
        try:
            text = file.read_text(encoding="utf-8")
            tree = ast.parse(text)
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            return None
        return Module(
            path=shown.as_posix(),
            definitions=dict(_definitions(tree)),
            names=frozenset(_NAME.findall(text)),
        )


def imports_of(text: str) -> Iterator[Import]:
    """Yields what a text imports, as its lines tell: it need not be a program."""
    for match in _IMPORT.finditer(text):
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
        for name in taken:  # it may be a module itself
            yield Import(module=f"{source}{dot}{name}", names=())


def _definitions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yields names and what they are, on a line or a few."""
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
                yield target.id, f"{target.id} = {ast.unparse(node.value)[:80]}\n"


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return f"{word} {node.name}({ast.unparse(node.args)}){returns}: ..."
