"""Plans an adaptation: ``python -m training.adaptation FOLDER --base MODEL --work FOLDER``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.adaptation.adaptation_plan import PlanInputs, make_plan
from training.adaptation.configs import write_configs
from training.adaptation.repository_files import WorkspaceFiles, read_workspace
from training.adaptation.schedule import TrainingSpeed
from training.adaptation.training_speed import measure_training_speed
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.artifact.directory import Artifact, load_artifact
from training.foundation.atomic_files import write_json_atomically
from training.foundation.command_parser import command_parser, path_glob
from training.foundation.config_schema import to_mapping
from training.foundation.errors import run_main

_PURPOSE = """\
Plan how a model is adapted to a repository, without training it: which files are learned
from, which are measured on, how many steps, and at what rates. The first stage of
parrotlet adapt.

Writes adaptation.json, corpus.toml and run.toml to the work folder."""


def main(argv: Sequence[str]) -> int:
    """Writes the plan and the configs."""
    options = _parser().parse_args(argv)
    artifact = load_artifact(options.base)
    workspace = read_workspace(options.folder, tuple(options.private))
    origin = artifact.path if options.origin is None else load_artifact(options.origin).path
    inputs = PlanInputs(
        workspace=workspace,
        artifact=artifact,
        origin=origin,
        previous=read_previous(artifact, origin, workspace),
        minutes=options.minutes,
        heldout_share=options.heldout_share,
        is_wanted_again=options.again,
    )
    known = TrainingSpeed(tokens_per_s=options.speed) if options.speed else None
    plan = make_plan(inputs, known or measure_training_speed(artifact))
    if plan.schedule is not None:
        write_configs(options.work, plan, workspace, artifact, tuple(options.private))
    write_json_atomically(options.work / ADAPTATION_FILE, to_mapping(plan.record))
    record = plan.record
    sys.stdout.write(
        f"{record.sentence}\n"
        if record.verdict
        else f"{len(record.files)} files to learn from, {len(record.heldout)} to measure on;"
        f" {record.steps} steps, {record.epochs:g} passes, {record.replay_share:.0%} general code,"
        f" {record.tokens_per_s:,.0f} tokens per second\n"
    )
    return 0


def read_previous(
    artifact: Artifact, origin: Path, workspace: WorkspaceFiles
) -> AdaptationRecord | None:
    """Returns what an artifact has learned of a workspace; None if it has learned nothing of it.

    One that began with another artifact is the workspace's own, even if the workspace was no
    repository then, or one whose history went back less far.
    """
    if not (artifact.path / ADAPTATION_FILE).is_file():
        return None
    record = AdaptationRecord.read(artifact.path / ADAPTATION_FILE)
    is_of_it = (record.root_commit, record.subfolder) == (
        workspace.root_commit,
        workspace.subfolder,
    )
    return record if is_of_it or artifact.path != origin else None


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.adaptation", _PURPOSE, example="{prog} ~/project --base bundled --work runs/plan"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the repository or folder")
    parser.add_argument(
        "--base", type=Path, required=True, metavar="MODEL", help="the artifact to start from"
    )
    parser.add_argument(
        "--origin",
        type=Path,
        metavar="MODEL",
        help="the artifact that it was itself adapted from, which says what is forgotten",
    )
    parser.add_argument(
        "--work", type=Path, required=True, metavar="FOLDER", help="where to write the plan"
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="the time for everything")
    parser.add_argument("--heldout-share", type=float, default=0.15, help="what to measure on")
    parser.add_argument(
        "--private",
        type=path_glob,
        action="append",
        default=[],
        metavar="GLOB",
        help="files to leave out",
    )
    parser.add_argument("--again", action="store_true", help="even if little has changed")
    parser.add_argument(
        "--speed", type=float, metavar="TOKENS", help="tokens per second, instead of measuring it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
