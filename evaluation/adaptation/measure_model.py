"""Measures a model for an adaptation: lines and blocks, bits a byte, replayed typing.

Usage: ``python -m evaluation.adaptation.measure_model MODEL --corpus FOLDER --out FOLDER``. Each
part is one of the commands that everybody uses, and resumes as it does. Files are typed into a
server's process, which takes half of the cores, as do the lines: these two run side by side.
"""

import argparse
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.adaptation.measurements import BITS_FILE, GENERAL_FILE, LINES, TYPING
from evaluation.bits import main as measure_bits
from evaluation.lines import main as measure_lines
from evaluation.replay.__main__ import main as replay_typing
from training.artifact.manifest import MEMORY_FILE
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import ConfigError, run_main

_PURPOSE = """\
Measure a model on files that an adaptation holds out: exact match of lines and blocks as
users see them, bits per byte of these files and of general code, and the characters that
suggestions save while the files are typed. A stage of parrotlet adapt.

A finished part is not measured again."""


def main(argv: Sequence[str]) -> int:
    """Runs the parts that are not finished."""
    options = _parser().parse_args(argv)
    corpus, out = str(options.corpus), options.out
    model = ["--model", str(options.model)]
    if not (out / BITS_FILE).is_file():
        words = ["--corpus", corpus, "--n", str(options.files), "--out", str(out / BITS_FILE)]
        measure_bits([*model, *words])
    if options.general is not None and not (out / GENERAL_FILE).is_file():
        words = ["--model", str(options.general_model or options.model)]
        words += ["--records", str(options.general), "--out", str(out / GENERAL_FILE)]
        measure_bits(words)
    lines = ["--corpus", corpus, "--n", str(options.n), "--out", str(out / LINES)]
    lines += ["--per-document", str(options.per_document)]
    if _knows_workspace(options):
        lines += ["--workspace", "--whole-workspace"]
    is_typed = bool(options.typed) and not (out / TYPING).is_dir()
    with _beside(_replay, model, corpus, options) if is_typed else contextlib.nullcontext():
        measure_lines([*model, *lines])
    return 0


@contextlib.contextmanager
def _beside(work: Callable[..., None], *arguments: object) -> Iterator[None]:
    """Does some work beside the block, whose end waits for it, unless it ends by an error."""
    done: Future[None] = Future()

    def do() -> None:
        try:
            work(*arguments)
            done.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done.set_exception(error)

    threading.Thread(target=do, name="beside", daemon=True).start()
    yield
    done.result()


def _knows_workspace(options: argparse.Namespace) -> bool:
    """Returns whether the model is measured with the workspace's memory."""
    return bool(options.workspace) and (options.model / MEMORY_FILE).is_file()


def _replay(model: Sequence[str], corpus: str, options: argparse.Namespace) -> None:
    words = ["--corpus", corpus, "--n", str(options.typed), "--pace", "0"]
    words += ["--workspace"] * _knows_workspace(options)
    aside = options.out / f".{TYPING}"
    try:
        replay_typing([*model, *words, "--out", str(aside)])
    except ConfigError as error:  # the files are too short to be typed in
        sys.stderr.write(f"warning: {error}\n")
        return
    aside.rename(options.out / TYPING)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "evaluation.adaptation.measure_model",
        _PURPOSE,
        example="{prog} bundled --corpus work/corpus --out work/before",
    )
    number = whole_number(0, 1_000_000)
    parser.add_argument("model", type=Path, metavar="MODEL", help="the artifact's folder")
    parser.add_argument("--corpus", type=Path, required=True, metavar="FOLDER", help="the corpus")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument("--general", type=Path, metavar="FILE", help="general code, as JSON lines")
    parser.add_argument(
        "--general-model", type=Path, metavar="MODEL", help="another artifact to measure it with"
    )
    parser.add_argument("--n", type=number, default=100, help="positions of each kind")
    parser.add_argument("--per-document", type=number, default=8, help="of them in one file")
    parser.add_argument("--typed", type=number, default=0, help="files to type in")
    parser.add_argument(
        "--files",
        type=whole_number(1, 1_000_000),
        default=100,
        help="files whose bits are measured",
    )
    parser.add_argument(
        "--workspace", action="store_true", help="with the workspace's memory, as in an editor"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
