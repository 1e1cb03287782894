"""Runs the commands of the project: finds a command's module and calls its ``main``.

First checks that the packages it requires are installed. Called by ``parrotlet.__main__``.
"""

import difflib
import importlib
import sys
from collections.abc import Callable, Sequence

from parrotlet import qualify
from parrotlet.commands import COMMANDS, GROUPS, Command
from server import VERSION
from training.foundation.background.parent_watch import follow_parent
from training.foundation.errors import ConfigError, run_main
from training.foundation.extras import check_extra

_USAGE = "usage: parrotlet COMMAND [ARGUMENTS]"


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    follow_parent()
    return run_main(_run, argv)


def serve(argv: Sequence[str]) -> int:
    """Starts the language server; returns its exit code."""
    return _import_main("server.__main__")(argv)


def _run(words: Sequence[str]) -> int:
    name, arguments = (words[0], list(words[1:])) if words else ("--help", [])
    if name in {"-h", "--help", "help"}:
        sys.stdout.write(_render_help())
        return 0
    if name == "--version":
        sys.stdout.write(f"{VERSION}\n")
        return 0
    command = _find_command(name)
    if command.extra:
        check_extra(command.extra)
    sys.argv[0] = "parrotlet" if command.passes_name else f"parrotlet {name}"
    return _import_main(command.module)([name, *arguments] if command.passes_name else arguments)


def _find_command(name: str) -> Command:
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "'parrotlet --help' lists them"
    raise ConfigError(f"there is no command '{name}'; {hint}")


def _import_main(module: str) -> Callable[[Sequence[str]], int]:
    found: Callable[[Sequence[str]], int] = importlib.import_module(qualify(module)).main
    return found


def _render_help() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [_USAGE, "", "Private, local, train-it-yourself code completion for Python."]
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:"]
        shown = [command for command in commands if not command.is_stage]
        lines += [f"  {command.name:{width}}{command.summary}" for command in shown]
    lines += ["", "'parrotlet COMMAND --help' explains a command."]
    return "\n".join(lines) + "\n"
