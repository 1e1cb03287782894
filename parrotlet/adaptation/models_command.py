"""``parrotlet models``: the models that were adapted to workspaces."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from server.adaptation.adaptation_state import AdaptationState
from server.adaptation.adapted_models import (
    RESULT_FILE,
    AdaptedModel,
    Served,
    choose_model,
    get_model,
    list_models,
    remove_model,
)
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, run_main
from training.foundation.foreign_text import as_object, read_json

_PURPOSE = """\
List the models that were adapted to repositories with parrotlet adapt, compare each with
the model it was made from, choose which of the two suggests there, or remove one with all
that belongs to it."""
_EXAMPLE = """\
{prog}
{prog} compare project-1f3a90c2
{prog} use project-1f3a90c2 base
{prog} use project-1f3a90c2 0001
{prog} remove project-1f3a90c2"""
_MIB = 1 << 20
_FIGURES = {
    "lines": "lines completed exactly",
    "blocks": "blocks completed exactly",
    "bits": "bits per byte, this repository",
    "general": "bits per byte, other code",
    "saved": "characters typed by suggestions",
}
_RATIOS = {"bits", "general"}


def main(argv: Sequence[str]) -> int:
    """Does what the first word says."""
    options = _parser().parse_args(argv)
    if options.do == "compare":
        sys.stdout.write(_compare(get_model(options.name)))
    elif options.do == "use":
        _use(options.name, options.served)
    elif options.do == "remove":
        _remove(options.name)
    else:
        sys.stdout.write(_list())
    return 0


def _list() -> str:
    models = list_models()
    if not models:
        return "There are no adapted models; make one with: parrotlet adapt PATH\n"
    return "\n".join(_describe(model) for model in models)


def _describe(model: AdaptedModel) -> str:
    record = model.record
    used = record.version if record.served == "adapted" and record.version else "the base model"
    day = time.strftime("%Y-%m-%d", time.localtime(record.created))
    base, mib = record.base or "the bundled model", f"{model.n_bytes / _MIB:.0f} MiB"
    versions = f" of {', '.join(model.versions)}" if model.versions else ""
    lines = [
        model.name,
        f"  {record.path}",
        f"  made from {base}, first on {day} ({mib})",
        f"  chosen: {used}{versions}",
    ]
    state = AdaptationState.read(model.folder)
    if state is not None and state.outcome is None:
        lines.append(f"  {state.state}: {state.sentence}")
    if model.sentence:
        lines.append(f"  {model.sentence}")
    return "".join(f"{line}\n" for line in lines)


def _compare(model: AdaptedModel) -> str:
    try:
        result = as_object(read_json(model.folder / RESULT_FILE))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{model.name} has not been measured yet; let parrotlet adapt {model.record.path} end"
        ) from error
    rows = [f"{'':34}{'before':>9}{'after':>9}{'change':>10}  95% interval"]
    for name, label in _FIGURES.items():
        figure = result.get(name)
        if isinstance(figure, dict):
            rows.append(f"{label:34}{_render_figure(name, figure)}")
    share = result.get("trained_share", 1.0)
    if isinstance(share, float) and share < 1:
        rows.append(f"{'change of the weights kept':34}{share:18.0%}")
    page = "" if model.page is None else f"{model.page}\n"
    return "\n".join([*rows, "", model.sentence, page])


def _render_figure(name: str, figure: Mapping[str, Any]) -> str:
    before, after, change, low, high = (
        float(figure[key]) for key in ("before", "after", "change", "low", "high")
    )
    if name in _RATIOS:
        return f"{before:9.3f}{after:9.3f}{change:+10.1%}  {low:+.1%} to {high:+.1%}"
    points = f"{100 * change:+.1f}"
    return f"{before:9.1%}{after:9.1%}{points:>10}  {100 * low:+.1f} to {100 * high:+.1f}"


def _use(name: str, served: str) -> None:
    model = get_model(name)
    note = ""
    if served in model.versions:
        base = model.bases.get(served, model.record.base)
        if base != model.record.base:
            note = f", where {base or 'the bundled model'} is chosen, from which it was made"
        model.use_version(served, base)
    elif served in get_args(Served):
        choose_model(name, "base" if served == "base" else "adapted")
    else:
        known = ", ".join([*get_args(Served), *model.versions])
        raise ConfigError(f"{name} has no model '{served}'; choose one of {known}")
    sys.stdout.write(f"{model.record.path}: {served}; open editors use it within seconds{note}\n")


def _remove(name: str) -> None:
    remove_model(name)
    sys.stdout.write(f"{name} is removed\n")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("parrotlet.adaptation.models_command", _PURPOSE, example=_EXAMPLE)
    parser.set_defaults(do="list")
    words = parser.add_subparsers(dest="do", metavar="ACTION")
    words.add_parser("list", help="list all (default)")
    for word, text in (
        ("compare", "show what an adaptation brought"),
        ("use", "choose which model suggests"),
        ("remove", "remove one with all that belongs to it"),
    ):
        one = words.add_parser(word, help=text)
        one.add_argument("name", metavar="NAME", help="its name in the list")
        if word == "use":
            one.add_argument("served", metavar="MODEL", help="adapted, base, or a version")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
