"""The demo: three snippets completed by the real completer, printed as an editor would show them.

Code is printed as it is, a suggestion as ghost text: grey and italic, or between brackets where
there is no colour. Nothing is measured but the times that are printed. Called by ``parrotlet
demo``.
"""

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from server import VERSION
from server.completer import Completer
from server.health_report import describe_size
from server.settings import Settings
from server.suggestion.explanation import reason_sentence
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.user_folders import find_own_program
from training.foundation.extras import quote_word

CURSOR = "▏"

_GHOST, _TITLE, _PLAIN = "\x1b[3;90m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """Code that contains CURSOR once."""

    title: str
    code: str

    @property
    def request(self) -> CompletionRequest:
        """The code without the cursor, and the cursor's offset."""
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
    started = time.perf_counter()
    completer = Completer.load(settings=settings)
    completer.warm_up()
    loaded_s = time.perf_counter() - started
    has_colour = out.isatty() and "NO_COLOR" not in os.environ
    size = describe_size(completer.describe())
    name = settings.model or "bundled model"
    out.write(f"Parrotlet {VERSION}: {name}, {size}, loaded in {loaded_s:.1f} s\n")
    for snippet in SNIPPETS:
        result = completer.complete(snippet.request)
        out.write(render(snippet, result, has_colour=has_colour))
    out.write("\nGhost text in your editor:\n")
    out.writelines(f"  {editor:9}{step}\n" for editor, step in next_steps())
    return 0


def render(snippet: Snippet, result: CompletionResult, *, has_colour: bool) -> str:
    """Returns the title, the time, and the code with its ghost text, ready to print."""
    request = snippet.request
    before, after = request.text[: request.offset], request.text[request.offset :]
    ghost = result.suggestion.text or f"({reason_sentence(result.reason)})"
    if has_colour:
        lines = (f"{_GHOST}{line}{_PLAIN}" if line else "" for line in ghost.split("\n"))
        title, ghost = f"{_TITLE}{snippet.title}{_PLAIN}", "\n".join(lines)
    else:
        title, ghost = snippet.title, f"⟦{ghost}⟧"
    took = f"{result.total_ms:.0f} ms, {result.usage.new_tokens} tokens"
    return f"\n{title} ({took})\n\n{before}{ghost}{after[result.suggestion.covered :]}"


def next_steps() -> tuple[tuple[str, str], tuple[str, str]]:
    """Returns the command that sets up each editor, for this installation."""
    editors = f"{_command()} editors"
    extension = Path(__file__).parents[1] / "editor-client" / "vscode"  # only in a checkout
    is_unpacked = extension.is_dir() and not (extension / "parrotlet.vsix").exists()
    first = "make vscode (with Node 20 or newer), then " if is_unpacked else ""
    return (
        ("VS Code", f"{first}{editors} vscode --install"),
        ("Neovim", f"{editors} nvim --install"),
    )


def _command() -> str:
    """Returns what runs this environment's ``parrotlet`` in the current folder, for a shell."""
    script = find_own_program("parrotlet")
    if script is None:
        return f"{quote_word(sys.executable)} -m parrotlet"
    on_path = shutil.which("parrotlet")
    if on_path is not None and Path(on_path).samefile(script):
        return "parrotlet"
    try:
        here = os.path.relpath(script)
    except (OSError, ValueError):  # the folder is gone, or on another drive
        here = os.pardir
    is_below = os.sep in here and not here.startswith(os.pardir)
    return quote_word(here if is_below else str(script))
