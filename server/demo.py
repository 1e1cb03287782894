"""The demo: three snippets completed by the real completer, printed as an editor would show them.

What stands in the file is printed as it is, the suggestion as ghost text (grey and slanted, or
between brackets where there is no colour). It measures nothing but the milliseconds it prints.
Called by ``parrotlet demo``.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from server.completer import Completer
from server.models import BUNDLED_MODEL
from server.request import CompletionRequest, CompletionResult
from server.settings import Settings

CURSOR = "▏"

_GHOST, _TITLE, _PLAIN = "\x1b[3;90m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """Code with one CURSOR in it."""

    title: str
    code: str

    @property
    def request(self) -> CompletionRequest:
        """The code without its cursor, and where that stood."""
        before, _, after = self.code.partition(CURSOR)
        return CompletionRequest(text=before + after, offset=len(before), is_asked_for=True)


SNIPPETS = (
    Snippet(
        title="In the middle of a line, with code below the cursor",
        code=f"""\
import logging
import os

logger = logging.get{CURSOR}


def remove(path):
    logger.info("removing %s", path)
    os.remove(path)
""",
    ),
    Snippet(
        title="A function's body, from its signature and docstring",
        code=f'''\
class Stack:
    """A last-in, first-out collection."""

    def __init__(self):
        self._items = []

    def pop(self):
        """Remove and return the item at the top."""
        if not self._items:
            raise IndexError("the stack is empty")
        return self._items.pop()

    def __len__(self):
        """Return the number of items."""
        {CURSOR}
''',
    ),
    Snippet(
        title="The next line",
        code=f"""\
class Point:
    def __init__(self, x, y):
        self.x = x
        {CURSOR}
""",
    ),
)


def show_demo(settings: Settings, out: TextIO) -> int:
    """Prints all snippets with their completions; returns the exit code."""
    completer = Completer.load(settings=settings)
    completer.warm_up()
    has_colour = out.isatty() and "NO_COLOR" not in os.environ
    out.write(f"Completed by {settings.model or BUNDLED_MODEL}\n")
    for snippet in SNIPPETS:
        result = completer.complete(snippet.request)
        out.write(rendered(snippet, result, has_colour=has_colour))
    out.write("\n" + "\n".join(how_to_connect()) + "\n")
    return 0


def rendered(snippet: Snippet, result: CompletionResult, *, has_colour: bool) -> str:
    """Returns title, code with ghost text, and time, ready to print."""
    request = snippet.request
    before, after = request.text[: request.offset], request.text[request.offset :]
    ghost = result.text or f"(nothing: {result.reason})"
    if has_colour:
        lines = (f"{_GHOST}{line}{_PLAIN}" if line else "" for line in ghost.split("\n"))
        title, ghost = f"{_TITLE}{snippet.title}{_PLAIN}", "\n".join(lines)
    else:
        title, ghost = snippet.title, f"⟦{ghost}⟧"
    took = f"{result.total_ms:.0f} ms, {result.new_tokens} tokens"
    return f"\n{title} ({took})\n\n{before}{ghost}{after[result.covered :]}"


def how_to_connect() -> tuple[str, str]:
    """Returns a line for VS Code and one for Neovim, with the paths of this installation."""
    clients = Path(__file__).parents[1] / "editor-client"
    package = clients / "vscode" / "parrotlet.vsix"
    of_vs_code = "make vscode packs the extension (with Node 20 or newer)"
    if package.exists():
        of_vs_code = f"code --install-extension {package}"
    setup = "require('parrotlet').setup({ keys = { accept = '<Tab>' } })"
    return (
        f"VS Code: {of_vs_code}",
        f"Neovim:  vim.opt.runtimepath:append('{clients / 'nvim'}'); {setup}",
    )
