"""The command for pass@k: ``python -m evaluation.passk --model DIR --problems humaneval --n 5``.

Only its arguments; the run is in ``pipeline``. ``accelerate launch -m evaluation.passk ...``
spreads the generation over processes.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.generators.generator import Generation
from evaluation.judge.levels.ranking import LEVELS
from evaluation.judge.verdict import MIB, Limits
from evaluation.passk.config import PasskConfig
from evaluation.passk.pipeline import report_progress, run_passk
from evaluation.problems.problem_sources import KNOWN, OWN
from evaluation.runs.arguments import add_device_argument, add_out_argument
from evaluation.runs.processes import Processes
from server.settings import RemoteSettings
from training.foundation.command_parser import command_parser, type_of_setting, whole_number
from training.foundation.errors import run_main

_PURPOSE = """\
Run a model's completions against unit tests in a sandbox, and estimate pass@k: the
chance that at least one of k completions solves a problem.

Writes to --out: samples.jsonl, results.jsonl (one verdict per sample), summary.json
and report.html. Run the same command again to resume an interrupted run."""
_EXAMPLE = """\
{prog} --canonical
{prog} --model server/model --problems own --n 5 --k 1 5
{prog} --model bigcode/santacoder --problems humaneval --n 20 --k 1 10
{prog} --samples samples.jsonl --problems humaneval"""


def main(argv: Sequence[str]) -> int:
    """Runs what is left of a run, or reports its progress, and prints the scores."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.url is not None and options.model is None:
        parser.error("argument --url: it needs --model, the server's name of the model")
    with Processes(is_cpu=options.device == "cpu") as processes:
        if not options.partial:
            run_passk(options, processes)
        elif processes.is_main:
            report_progress(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.passk", _PURPOSE, example=_EXAMPLE)
    _add_sources(parser)
    _add_sampling(parser)
    _add_judging(parser)
    _add_reporting(parser)
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    default = PasskConfig()
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model",
        help="generate with this model: an artifact folder, or the folder or Hub name of any causal"
        " language model",
    )
    source.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help="judge existing samples: JSON lines with task_id and completion or solution, or an"
        " EvalPlus folder",
    )
    source.add_argument(
        "--canonical",
        action="store_true",
        help="judge the problems' own solutions, to check the problems and the sandbox",
    )
    parser.add_argument(
        "--url", help="generate through this server's /v1/completions; --model names its model"
    )
    parser.add_argument(
        "--key-variable",
        default=RemoteSettings().key_variable,
        metavar="NAME",
        help="environment variable with the API key for --url (default: %(default)s)",
    )
    add_device_argument(parser)
    known = ", ".join([OWN, *KNOWN])
    parser.add_argument(
        "--problems",
        default=default.problems,
        metavar="SET",
        help=f"a problem set ({known}) or a JSON-lines file (default: %(default)s)",
    )
    add_out_argument(parser, Path("runs/passk"), "the run's folder; run again to resume")


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    default = Generation()
    group = parser.add_argument_group("generation")
    group.add_argument(
        "--n",
        type=type_of_setting(Generation, "n"),
        help=f"samples per problem (default: {default.n}; 1 with --canonical)",
    )
    group.add_argument(
        "--temperature",
        type=type_of_setting(Generation, "temperature"),
        default=default.temperature,
        help="sampling temperature; 0 is greedy (default: %(default)s)",
    )
    group.add_argument(
        "--top-p",
        type=type_of_setting(Generation, "top_p"),
        default=default.top_p,
        help="nucleus sampling: the probability mass to draw from (default: %(default)s)",
    )
    group.add_argument(
        "--max-new-tokens",
        type=type_of_setting(Generation, "max_new_tokens"),
        default=default.max_new_tokens,
        help="maximum length of a sample, in tokens (default: %(default)s)",
    )
    group.add_argument(
        "--seed",
        type=type_of_setting(Generation, "seed"),
        default=default.seed,
        help="random seed (default: %(default)s)",
    )


def _add_reporting(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reporting")
    group.add_argument(
        "--k",
        type=type_of_setting(PasskConfig, "k"),
        nargs="+",
        help="report pass@k for each of these k (default: 1 5; 1 without --model)",
    )
    group.add_argument(
        "--overlap",
        type=Path,
        metavar="FILE",
        help="also report pass@k without the problems that are in the training corpus, as listed by"
        " parrotlet overlap",
    )
    group.add_argument(
        "--allow-missing",
        action="store_true",
        help="accept samples for a part of the problems; without this, their scores end with exit"
        " code 4",
    )
    group.add_argument(
        "--partial",
        action="store_true",
        help="only report what has been judged so far, while another process continues the run",
    )


def _add_judging(parser: argparse.ArgumentParser) -> None:
    default = PasskConfig()
    group = parser.add_argument_group("judging")
    group.add_argument(
        "--cpu-s",
        type=type_of_setting(Limits, "cpu_s"),
        metavar="SECONDS",
        help=f"CPU time limit per program (default: the problem set's, else {Limits().cpu_s:g})",
    )
    group.add_argument(
        "--memory-mib",
        type=whole_number(32, 1 << 20),
        default=default.limits.memory_bytes // MIB,
        metavar="MIB",
        help="memory limit per program (default: %(default)s)",
    )
    group.add_argument(
        "--workers",
        type=type_of_setting(PasskConfig, "workers"),
        default=default.workers,
        help="sandboxes that run at the same time (default: %(default)s)",
    )
    isolation = group.add_mutually_exclusive_group()
    isolation.add_argument(
        "--isolation",
        choices=[level.name for level in LEVELS],
        help="require this isolation level (default: the best that works here)",
    )
    isolation.add_argument(
        "--unsafe-no-sandbox",
        action="store_true",
        help="run programs without isolation; recorded in the results",
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
