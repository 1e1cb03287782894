"""``parrotlet train``: corpus, tokenizer, pretraining, evaluation, artifact, and the Hub if wanted.

Each stage is one of the single commands in a process of its own. A finished stage is not run again,
and an interrupted one goes on where it was.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from parrotlet.pipeline.stage import Stage
from parrotlet.pipeline.stage_runner import Progress, StageRunner
from parrotlet.team.team_config import (
    CORPUS,
    CORPUS_CONFIG,
    RUN,
    RUN_CONFIG,
    SCRATCH,
    SHARDS,
    describe_arguments,
    list_settings,
    render_configs,
)
from parrotlet.team.team_options import check_options
from parrotlet.team.team_page import write_page
from training.config import TokenizerConfig
from training.foundation.atomic_files import write_text_atomically
from training.foundation.command_parser import (
    command_parser,
    path_glob,
    type_of_setting,
    whole_number,
)
from training.foundation.errors import ConfigError, run_main
from training.foundation.folder_lock import folder_lock

ARGUMENTS_FILE = "train.json"
_REPORT = "report.json"  # of a corpus
_PURPOSE = """\
Train a model on your repositories, the whole way: corpus, tokenizer if it starts from
scratch, pretraining, evaluation, calibration, and upload if you want it. Run the same
command again to resume.

PATH is a repository (PATH@REVISION for a commit), a folder, an archive, a file of records,
or one corpus config. Secrets become placeholders, private files are left out, and some
documents are held out and measured on. The single commands do the same work."""
_EXAMPLE = """\
{prog} ~/src/billing ~/src/web --budget 4h
{prog} ~/src/*/ --from scratch --size 17M --budget 24h --processes 2
{prog} corpus.toml --budget 300M --launcher nodes.yaml --cluster cluster.toml
{prog} ~/src/billing --push acme/billing"""


def main(argv: Sequence[str]) -> int:
    """Runs the stages that are left, and writes the page."""
    options = _parser().parse_args(argv)
    options.out = options.out.absolute()
    check_options(options)
    configs, stages = render_configs(options), list_stages(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with folder_lock(options.out):
        runner = StageRunner(options.out, stages, lambda _: None, _Reporter(stages))
        is_begun = any(runner.is_finished(stage.name) for stage in stages)
        _bind(options.out, describe_arguments(argv), is_begun=is_begun)
        for name, text in configs.items():
            write_text_atomically(options.out / name, text)
        runner.run_all()
        page = write_page(options.out, stages)
    sys.stdout.write(f"{options.out / RUN / 'model'}\n{page}\n")
    return 0


def list_stages(options: argparse.Namespace) -> list[Stage]:
    """Returns all stages of a training, which run in the working folder as the commands would."""
    folder = str(Path.cwd())
    return [replace(stage, folder=folder) for stage in _list_commands(options)]


def _list_commands(options: argparse.Namespace) -> list[Stage]:
    out: Path = options.out
    run, model = str(out / RUN_CONFIG), str(out / RUN / "model")
    measured = ["--model", model, "--corpus", str(_corpus_folder(options)), "--n", str(options.n)]
    settings = list_settings(options)
    stages = [_make_corpus(options)]
    if options.start == SCRATCH:
        stages.append(Stage(name="tokenizer", words=("tokenizer", run, *settings)))
    stages += [
        Stage(name="prepare", words=("prepare", run, *settings)),
        Stage(
            name="pretrain",
            words=("pretrain", run, *settings, *_launch_words(options)),
            weight_s=100.0,
        ),
        Stage(
            name="index-verbatim",
            words=("index-verbatim", model, "--shards", str(out / SHARDS)),
        ),
        Stage(name="lines", words=("lines", *measured, "--out", str(out / "lines")), weight_s=5.0),
        Stage(name="infill", words=("infill", *measured, "--out", str(out / "infill"))),
        Stage(name="calibrate", words=("calibrate", "--run", str(out / "lines")), may_fail=True),
        Stage(
            name="fit-memory",
            words=("fit-memory", "--model", model, "--corpus", str(_corpus_folder(options))),
            may_fail=True,  # too few packages are held out
        ),
    ]
    if options.passk:
        words = ("passk", "--model", model, "--out", str(out / "passk"))
        stages.append(Stage(name="passk", words=words, weight_s=20.0))
    if options.push:
        words = ("publish", "model", model, "--repo", options.push)
        public = ("--public",) if options.public else ()
        stages.append(Stage(name="publish", words=(*words, *public)))
    return stages


def _make_corpus(options: argparse.Namespace) -> Stage:
    config = str(options.out / CORPUS_CONFIG)
    produces = str(_corpus_folder(options) / _REPORT)
    if options.cluster is None:
        words: tuple[str, ...] = ("corpus", config)
    else:
        words = ("cluster", str(options.cluster.absolute()), f"corpus={config}")
    return Stage(name="corpus", words=words, weight_s=10.0, produces=produces)


def _corpus_folder(options: argparse.Namespace) -> Path:
    return Path(options.out / CORPUS)


def _launch_words(options: argparse.Namespace) -> list[str]:
    words = []
    if options.processes is not None:
        words += ["--processes", str(options.processes)]
    if options.launcher is not None:
        words += ["--config_file", str(options.launcher.absolute())]
    return words


def _bind(out: Path, arguments: str, *, is_begun: bool) -> None:
    """Refuses a folder in which another training has finished a stage."""
    file = out / ARGUMENTS_FILE
    recorded = file.read_text(encoding="utf-8") if is_begun and file.exists() else arguments
    if recorded != arguments:
        raise ConfigError(
            f"{out} holds a training with other arguments ({recorded}); repeat those to resume it,"
            " or choose another --out"
        )
    write_text_atomically(file, arguments)


class _Reporter:
    """Prints each stage as it begins."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._names = [stage.name for stage in stages]
        self._shown = ""

    def __call__(self, progress: Progress) -> None:
        name = progress.stage.name
        if name != self._shown:
            self._shown = name
            number, n_all = self._names.index(name) + 1, len(self._names)
            sys.stderr.write(f"{number} of {n_all}: parrotlet {' '.join(progress.stage.words)}\n")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("parrotlet.team.train_command", _PURPOSE, example=_EXAMPLE)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="what to learn from")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/team"),
        metavar="FOLDER",
        help="everything that is made (default: %(default)s); the page is in it",
    )
    parser.add_argument(
        "--from",
        dest="start",
        default="bundled",
        metavar="MODEL",
        help=f"a model folder, 'bundled', or '{SCRATCH}' (default: %(default)s)",
    )
    parser.add_argument(
        "--budget", default="2h", help="time such as 90min or 8h, or tokens such as 150M"
    )
    parser.add_argument("--size", metavar="N", help="parameters such as 17M, from scratch")
    _add_data(parser)
    _add_work(parser)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "--vocab-size",
        type=type_of_setting(TokenizerConfig, "vocab_size"),
        metavar="N",
        help=f"tokens, from scratch (default: {TokenizerConfig.vocab_size})",
    )
    group.add_argument(
        "--licence",
        action="append",
        default=[],
        metavar="SPDX",
        help="licences of records and archives to allow; your own code needs none",
    )
    group.add_argument(
        "--heldout",
        action="append",
        default=[],
        metavar="NAME",
        help="a package to measure on and not to learn from (default: a share of the documents)",
    )
    group.add_argument(
        "--private",
        type=path_glob,
        action="append",
        default=[],
        metavar="GLOB",
        help="files to leave out",
    )
    group.add_argument(
        "--cluster",
        type=Path,
        metavar="CLUSTER.toml",
        help="build the corpus on many machines, as parrotlet cluster does",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("work")
    group.add_argument("--processes", type=whole_number(1, 1024), metavar="N", help="that train")
    group.add_argument("--launcher", type=Path, metavar="FILE", help="an Accelerate config file")
    group.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the training, such as pretrain.steps=200",
    )
    group.add_argument(
        "--n",
        type=whole_number(1, 100_000),
        default=200,
        help="positions of each kind to evaluate at (default: %(default)s)",
    )
    group.add_argument("--passk", action="store_true", help="run problems in the sandbox, too")
    group.add_argument("--push", metavar="OWNER/NAME", help="upload the model to the Hub")
    group.add_argument("--public", action="store_true", help="with --push: for everybody")


if __name__ == "__main__":
    sys.exit(run_main(main))
