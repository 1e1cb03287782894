"""``parrotlet adapt``: starts an adaptation, follows it, and tells it to pause or to go on.

The work is done by a process of its own, which goes on if this one is ended.
"""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from parrotlet.adaptation.runner import run_adaptation
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import AdaptationState, RunState
from server.adaptation.adaptations import (
    LOG_FILE,
    PLANNED_OPTIONS,
    REQUEST_OPTION,
    Adaptation,
    Control,
    find_adaptation,
    is_same_plan,
    read_control,
    start_adaptation,
)
from server.backends.model_store import resolve_model_name
from training.foundation.command_parser import command_parser, path_glob, type_of_setting
from training.foundation.errors import ConfigError, PrerequisiteError, run_main

_FOLLOW_S = 0.5
_MANNERS = ("on_battery", "full_speed", "background")
_PURPOSE = """\
Adapt a model to a repository: train a copy of it on the repository's own code, in the
background, and use it there if it is better. Nothing leaves this machine.

Some files are left out of the training and measured on, before and after. The result is a
model of its own in your data folder, which editors use in this repository by themselves;
parrotlet models lists, compares, switches and removes such models. Run the command again
when the repository has moved on, or to go on after an interruption. It goes on with the
options that it had, and begins anew if you name others.

Ctrl-C pauses the adaptation. It also waits while you type in an editor with Parrotlet,
while the machine runs on battery, and while memory is short."""
_EXAMPLE = """\
{prog}
{prog} ~/project --minutes 30
{prog} ~/project --background
{prog} ~/project --status"""


def main(argv: Sequence[str]) -> int:
    """Does what the options say; returns the exit code."""
    options = _parser().parse_args(argv)
    if options.request is not None:
        run_adaptation(options.request)
        return 0
    if options.do is not None:
        _refuse_options(options)
        return _tell(options.folder, options.do)
    earlier, is_running = _find_unended(options.folder)
    request = _make_request(options, earlier)
    begins_anew = earlier is not None and not is_same_plan(earlier, request)
    adaptation = start_adaptation(request)
    if is_running and earlier is not None and earlier.yields and not request.yields:
        sys.stderr.write("it no longer waits while you type, but stays at low priority\n")
    if not adaptation.follows(request):
        sys.stderr.write(
            "an adaptation runs already, with other options, and keeps them; end it with --cancel"
            " to start one with these\n"
        )
    elif begins_anew:
        sys.stderr.write("the interrupted adaptation had other options; this one begins anew\n")
    if options.background:
        sys.stdout.write(f"started; parrotlet adapt {options.folder} --status shows how it goes\n")
        return 0
    return _follow(adaptation)


def _refuse_options(options: argparse.Namespace) -> None:
    """Refuses options of a start with --status and the like, which would not follow them."""
    if any(getattr(options, name) for name in (*PLANNED_OPTIONS, *_MANNERS)):
        raise ConfigError(
            f"--{options.do} takes no other options; leave it out to start an adaptation with them,"
            " or to go on"
        )


def _find_unended(folder: Path) -> tuple[AdaptationRequest | None, bool]:
    """Returns what was asked of a folder's adaptation that has not ended, if any.

    Returns:
        None if there is none that runs or was interrupted; and whether it runs.
    """
    found = _find_started(folder)
    if found is None:
        return None, False
    adaptation, state = found
    request = adaptation.read_request()
    is_unended = state.is_unfinished or state.state is RunState.INTERRUPTED
    is_wanted = read_control(adaptation.folder) is not Control.CANCEL
    is_of_folder = request is not None and request.folder == folder.resolve()  # not of one above
    if is_unended and is_wanted and is_of_folder:
        return request, state.is_unfinished
    return None, False


def _make_request(
    options: argparse.Namespace, earlier: AdaptationRequest | None
) -> AdaptationRequest:
    """Returns what the options ask for; what they leave open is as in ``earlier``."""
    folder = options.folder.resolve()
    values = {name: getattr(options, name) for name in PLANNED_OPTIONS}
    named = {name: value for name, value in values.items() if value is not None}
    if "private_globs" in named:
        named["private_globs"] = tuple(named["private_globs"])
    return dataclasses.replace(
        earlier or AdaptationRequest(folder=folder),
        folder=folder,
        pauses_on_battery=not options.on_battery,
        pauses_while_typing=not options.full_speed,
        yields=not options.full_speed,
        **named,
    )


def _find_started(folder: Path) -> tuple[Adaptation, AdaptationState] | None:
    """Returns the adaptation of a folder, and how it is going; None if it was never started."""
    adaptation = find_adaptation(folder)
    state = None if adaptation is None else adaptation.read_state()
    return None if adaptation is None or state is None else (adaptation, state)


def _tell(folder: Path, what: str) -> int:
    found = _find_started(folder)
    if found is None:
        raise ConfigError(f"nothing was ever adapted to {folder}; start with parrotlet adapt")
    adaptation, state = found
    if what == "status":
        sys.stdout.write(f"{_render(state)}\n")
        return 0
    {"pause": adaptation.pause, "resume": adaptation.resume, "cancel": adaptation.cancel}[what]()
    return 0


def _follow(adaptation: Adaptation) -> int:
    """Shows how an adaptation goes until it ends; returns the exit code.

    Raises:
        PrerequisiteError: It has failed, or was removed.
    """
    shown = ""
    try:
        while True:
            state = adaptation.read_state()
            if state is None and not adaptation.folder.exists():
                raise PrerequisiteError(
                    f"the adapted model {adaptation.model.name} was removed, and its adaptation has"
                    " ended; run the same command again to start anew"
                )
            if state is not None and not state.is_unfinished:
                return _end(state, adaptation)
            if state is not None and (line := _render(state)) != shown:
                shown = _show(line, shown)
            time.sleep(_FOLLOW_S)
    except KeyboardInterrupt:
        adaptation.pause()
        sys.stderr.write("\n")
        raise


def _end(state: AdaptationState, adaptation: Adaptation) -> int:
    sys.stderr.write("\n" if sys.stderr.isatty() else "")
    if state.state is RunState.FAILED:
        raise PrerequisiteError(f"{state.reason}; see {adaptation.folder / LOG_FILE}")
    if state.state is RunState.INTERRUPTED:
        raise PrerequisiteError(
            "the adaptation was ended from outside; run the same command again to go on"
        )
    sys.stdout.write(f"{state.sentence}\n")
    if state.page is not None:
        sys.stdout.write(f"{state.page}\n")
    return 0


def _show(line: str, shown: str) -> str:
    """Replaces the line on a terminal; elsewhere a line is printed for each new phase."""
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        sys.stderr.write(f"\r{line[:width]:{width}}")
    elif line.partition(":")[0] != shown.partition(":")[0]:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    return line


def _render(state: AdaptationState) -> str:
    loss = "" if state.loss is None or not state.step else f" Loss {state.loss:.3f},"
    steps = f"{loss} step {state.step} of {state.steps}." if state.step and loss else ""
    return f"{state.sentence}{steps}"


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("parrotlet.adaptation.adapt_command", _PURPOSE, example=_EXAMPLE)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="PATH", help="default: this folder"
    )
    parser.add_argument(
        "--minutes",
        type=type_of_setting(AdaptationRequest, "minutes"),
        help=f"how long it works, without pauses (default: {AdaptationRequest.minutes:g})",
    )
    parser.add_argument(
        "--model",
        type=resolve_model_name,
        help="a model folder, or a name on the Hub (default: bundled)",
    )
    parser.add_argument(
        "--private",
        dest="private_globs",
        type=path_glob,
        action="append",
        metavar="GLOB",
        help="files to leave out, besides those that usually hold secrets",
    )
    parser.add_argument(
        "--heldout-share",
        type=type_of_setting(AdaptationRequest, "heldout_share"),
        metavar="SHARE",
        help="of the code, what is measured on and not learned from"
        f" (default: {AdaptationRequest.heldout_share:g})",
    )
    _add_manners(parser)
    return parser


def _add_manners(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--again",
        dest="is_wanted_again",
        action="store_const",
        const=True,
        help="even if little has changed",
    )
    parser.add_argument("--on-battery", action="store_true", help="do not wait for power")
    parser.add_argument(
        "--full-speed", action="store_true", help="at normal priority, also while you type"
    )
    parser.add_argument("--background", action="store_true", help="return at once")
    for name, text in (
        ("status", "show how it goes"),
        ("pause", "have it wait"),
        ("resume", "have it go on"),
        ("cancel", "end it, and remove what it has so far"),
    ):
        parser.add_argument(f"--{name}", dest="do", action="store_const", const=name, help=text)
    parser.add_argument(REQUEST_OPTION, type=Path, help=argparse.SUPPRESS)


if __name__ == "__main__":
    sys.exit(run_main(main))
