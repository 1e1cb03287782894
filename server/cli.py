"""The server from a shell: ``parrotlet complete``, ``demo``, ``settings``, ``health``, ``stats``.

Arguments and output only. The command ``parrotlet`` passes the name of the subcommand as the first
argument.
"""

import argparse
import dataclasses
import json
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

from server import VERSION
from server.adaptation.adapted_models import find_model_for
from server.health_report import Health, format_rows
from server.lsp.documents.text_document import TextDocument
from server.settings import Settings
from server.settings_schema import list_settings
from server.suggestion.explanation import PRIVATE, reason_sentence
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.usage_statistics import read_summary
from server.user_folders import find_data_folder
from server.workspace.private_files import is_private
from training.foundation.errors import ConfigError, run_main

_MAX_FILE_BYTES = 64 << 20  # editors do not open larger ones either
_COMMANDS = {  # a description and an example of each
    "complete": ("Print the completion at a position in a file", "complete app.py:12:5"),
    "demo": ("Complete three snippets and show the results as ghost text", "demo"),
    "settings": ("List every setting with its default and what it does", "settings"),
    "stats": ("Show how many suggestions were shown and accepted", "stats"),
    "health": ("Load the model, request a suggestion, and report both", "health --model ./model"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns the exit code."""
    return run_main(_run, argv)


def _run(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.command == "demo":
        from server.demo import show_demo  # noqa: PLC0415 - imports torch: seconds

        return show_demo(Settings(model=arguments.model), sys.stdout)
    if arguments.command == "health":
        return _health(Settings(model=arguments.model))
    if arguments.command == "stats":
        folder = arguments.folder or find_data_folder()
        sys.stdout.write(format_rows(read_summary(folder).rows()))
        return 0
    if arguments.command == "settings":
        return _list_settings(as_json=arguments.json)
    return _complete(arguments.position, Settings(model=arguments.model))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parrotlet", description="Complete Python code with a local model."
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    found = {
        name: commands.add_parser(
            name, help=text, description=f"{text}.", epilog=f"example: parrotlet {example}"
        )
        for name, (text, example) in _COMMANDS.items()
    }
    found["complete"].add_argument(
        "position", metavar="FILE:LINE:COL", help="position; line and column count from 1"
    )
    found["settings"].add_argument("--json", action="store_true", help="print JSON, for programs")
    found["stats"].add_argument(
        "--folder", type=Path, metavar="DIR", help="read the statistics from this folder"
    )
    for name in ("complete", "demo", "health"):
        found[name].add_argument(
            "--model",
            default="",
            metavar="MODEL",
            help="folder of a model, or its name on the Hugging Face Hub (default: bundled)",
        )
    return parser


def _complete(position: str, settings: Settings) -> int:
    path, line, column = parse_position(position)
    text = read_source(path)
    document = TextDocument(text, "utf-32")
    offset = document.offset_at(line - 1, column - 1)
    last_line, last_column = document.position_of(offset)
    if (last_line, last_column) != (line - 1, column - 1):
        past = f"column {column} of {last_column + 1}"
        if last_line != line - 1:
            past = f"line {line} of {last_line + 1}"
        raise ConfigError(
            f"{position} is past the end of the text ({past}); choose a position in the file"
        )
    result = _suggest(
        path, CompletionRequest(text=text, offset=offset, is_asked_for=True), settings
    )
    if not result.suggestion.text:
        sys.stderr.write(f"No suggestion. {reason_sentence(result.reason)}\n")
        return 0
    sys.stdout.write(f"{result.suggestion.text}\n")
    return 0


def _suggest(path: Path, request: CompletionRequest, settings: Settings) -> CompletionResult:
    """Returns what an editor would suggest that knows this file alone."""
    path = path.absolute()
    if is_private(path.as_uri(), settings.private_globs):
        return CompletionResult(reason=PRIVATE)
    if not settings.model and (adapted := find_model_for([path.parent], settings)) is not None:
        settings = dataclasses.replace(settings, model=str(adapted))
    from server.completer import Completer  # noqa: PLC0415 - imports torch

    return Completer.load(settings=settings).complete(request)


def _health(settings: Settings) -> int:
    """Loads the model, requests one suggestion, and reports how long that took."""
    from server.completer import Completer  # noqa: PLC0415 - imports torch

    started = time.perf_counter()
    completer = Completer.load(settings=settings)
    completer.warm_up()
    ready_s = time.perf_counter() - started
    text = "import os\n\n\ndef main():\n    print(os.path.jo"
    result = completer.complete(CompletionRequest(text=text, offset=len(text), is_asked_for=True))
    health = Health(
        version=VERSION,
        model=settings.model or "bundled",
        backend=completer.describe(),
        ready_s=ready_s,
        suggestion_ms=result.total_ms,
    )
    sys.stdout.write(format_rows(health.rows()))
    return 0


def _list_settings(*, as_json: bool) -> int:
    settings = list_settings()
    if as_json:
        listed = [dataclasses.asdict(setting) for setting in settings]
        sys.stdout.write(json.dumps(listed, indent=2) + "\n")
        return 0
    for setting in settings:
        value = json.dumps(setting.default)
        sys.stdout.write(f"{setting.name} = {value}\n{_wrap(setting.text)}")
        texts = zip(setting.choices or (), setting.choice_texts or (), strict=True)
        sys.stdout.write("".join(_wrap(f"  {choice}  {text}") for choice, text in texts))
    return 0


def _wrap(text: str) -> str:
    """Returns a text as indented lines; continuation lines of a choice are indented further."""
    margin = len(text) - len(text.lstrip())
    return (
        textwrap.fill(
            text,
            80,
            initial_indent="    ",
            subsequent_indent=" " * (4 + 2 * margin),
            replace_whitespace=False,
        )
        + "\n"
    )


def parse_position(position: str) -> tuple[Path, int, int]:
    """Splits ``FILE:LINE:COL``; the file's name may contain colons.

    Raises:
        ConfigError: It is not of that form.
    """
    file, *numbers = position.rsplit(":", 2)
    are_counts = len(numbers) == 2 and all(n.isdecimal() and int(n) > 0 for n in numbers)  # noqa: PLR2004
    if not file or not are_counts:
        raise ConfigError(
            f"'{position}' is not of the form FILE:LINE:COL; give a line and a column, counted from"
            " 1, such as app.py:12:5"
        )
    return Path(file), int(numbers[0]), int(numbers[1])


def read_source(path: Path) -> str:
    """Returns the text of a source file, line ends included.

    Raises:
        ConfigError: It cannot be read, is too large, or is not UTF-8.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigError(
                f"{path} is larger than {_MAX_FILE_BYTES >> 20} MiB; choose a source file"
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; choose a source file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text (byte {error.start}); choose a source file"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
