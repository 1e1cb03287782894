"""Turns a Jupyter notebook into Python: its code cells in order, as one document.

Commands of IPython in a line of their own become comments, so that the rest parses; cells in other
languages are left out. Outputs and text are not read. Called by
:mod:`training.corpus.readers.source_contents` and :mod:`training.corpus.readers.records`.

Source: the nbformat description (versions 3 and 4), and IPython's syntax of magic commands.
"""

import re
from collections.abc import Iterator
from typing import Any

from training.corpus.readers.source_file import DAMAGED_NOTEBOOK, NOT_PYTHON, SourceFile
from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import encode_text, parse_json

# Cell magics whose body is Python; that of any other is in a language of its own.
_PYTHON_MAGICS = {
    *("capture", "debug", "memit", "mprun", "prun", "pypy", "python", "python3", "scalene"),
    *("snakeviz", "time", "timeit"),
}
_CELL_MAGIC = re.compile(r"\s*%%(\w*)[^\n]*\n?")
# What brackets and statements end at, and what they may not be looked for in.
# Possessive repetition keeps the memory of a match constant, however long a string is.
_TOKEN = re.compile(
    r"""(?P<string>\"{3}(?:[^"\\]++|\\.|"(?!""))*+(?:\"{3}|\\?\Z)"""
    r"""|'{3}(?:[^'\\]++|\\.|'(?!''))*+(?:'{3}|\\?\Z)"""
    r"""|"(?:[^"\\\n]++|\\.)*+"?|'(?:[^'\\\n]++|\\.)*+'?)"""
    r"""|(?P<comment>\#[^\n]*)|(?P<joined>\\\n)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<end>\n)""",
    re.DOTALL,
)
# A command takes its line, and those that backslashes add: a magic or a shell command, one whose
# output is assigned, or a request for help.
_COMMAND = re.compile(
    r"(?:[ \t]*[%!?]|[ \t]*[A-Za-z_][\w., ]*=[ \t]*[%!](?!=)|[ \t]*[\w.*]+\?{1,2}[ \t]*(?=\n|\Z))"
    r"(?:[^\n\\]++|\\\n|\\)*+\n?"
)


def read_notebook(file: SourceFile) -> SourceFile:
    """Returns a notebook's code as a file of the same path, or why there is none."""
    if file.problem is not None:
        return file
    try:
        code = extract_code(parse_json(file.data, max_bytes=len(file.data), allow_nan=True))
    except ForeignDataError:
        return SourceFile(path=file.path, problem=DAMAGED_NOTEBOOK, origin=file.origin)
    if code is None:
        return SourceFile(path=file.path, problem=NOT_PYTHON, origin=file.origin)
    return SourceFile(path=file.path, data=encode_text(code), origin=file.origin)


def extract_code(notebook: Any) -> str | None:
    """Returns the code of a notebook's cells, or None if its language is another.

    Raises:
        ForeignDataError: It is no notebook.
    """
    if not isinstance(notebook, dict):
        raise ForeignDataError("it is no notebook")
    if not _is_python(_find_language(notebook)):
        return None
    cells = [
        _convert_cell(source.replace("\r\n", "\n").replace("\r", "\n")).strip("\n")
        for source in _iterate_sources(notebook)
    ]
    return "\n\n".join(cell for cell in cells if cell.strip()) + "\n"


def _iterate_sources(notebook: dict[str, Any]) -> Iterator[str]:
    """Yields the text of the code cells; in version 3 they are in worksheets, as "input"."""
    sheets = notebook.get("worksheets")
    groups = [notebook, *(sheets if isinstance(sheets, list) else ())]
    found = [group.get("cells") for group in groups if isinstance(group, dict)]
    if not any(isinstance(cells, list) for cells in found):
        raise ForeignDataError("it has no cells")
    for cell in (cell for cells in found if isinstance(cells, list) for cell in cells):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input"))
        if isinstance(source, list):
            source = "".join(line for line in source if isinstance(line, str))
        if isinstance(source, str) and _is_python(_find_cell_language(cell)):
            yield source


def _find_language(notebook: dict[str, Any]) -> object:
    metadata = _get_mapping(notebook, "metadata")
    kernel = _get_mapping(metadata, "kernelspec")
    return _get_mapping(metadata, "language_info").get("name") or kernel.get("language")


def _find_cell_language(cell: dict[str, Any]) -> object:
    editor = _get_mapping(_get_mapping(cell, "metadata"), "vscode")
    return editor.get("languageId") or cell.get("language")


def _get_mapping(values: dict[str, Any], key: str) -> dict[str, Any]:
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def _is_python(language: object) -> bool:
    """Returns whether a language is Python, or none is named."""
    name = language.strip().lower() if isinstance(language, str) else ""
    return not name or name.startswith(("python", "ipython"))


def _convert_cell(source: str) -> str:
    """Returns a cell as Python; nothing if its first line hands it to another language."""
    pieces, start = [], 0
    while magic := _CELL_MAGIC.match(source, start):
        if magic[1] not in _PYTHON_MAGICS:
            return ""
        start = magic.end()
    while start < len(source):
        command = _COMMAND.match(source, start)
        end = _find_end(source, start) if command is None else command.end()
        pieces.append(source[start:end] if command is None else _comment_out(source[start:end]))
        start = end
    return "".join(pieces)


def _find_end(source: str, start: int) -> int:
    """Returns where a statement ends: at a line's end outside brackets and strings."""
    depth = 0
    while token := _TOKEN.search(source, start):
        start = token.end()
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth = max(0, depth - 1)
        elif token.lastgroup == "end" and depth == 0:
            return start
    return len(source)


def _comment_out(command: str) -> str:
    """Returns a command as a comment; in an indented block, where that might be all, with pass."""
    code = command.lstrip(" \t")
    indentation = command[: len(command) - len(code)]
    comment = "# " + code.rstrip("\n").replace("\n", "\n# ") + "\n"
    return f"{indentation}pass  {comment}" if indentation else comment
