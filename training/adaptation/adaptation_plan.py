"""Makes the plan of an adaptation: what is learned, what is measured on, for how long, how fast.

A plan is made once and kept, so that an adaptation that was interrupted goes on to the same end.
Called by ``python -m training.adaptation``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from training.adaptation.general_code import REPLAY_FILE, UNREAD_FILE, read_sample
from training.adaptation.heldout_files import HeldoutFiles, choose_heldout
from training.adaptation.repository_files import FileFacts, WorkspaceFiles
from training.adaptation.schedule import Schedule, TrainingSpeed, choose_schedule
from training.adaptation.time_budget import TimeBudget
from training.artifact.adaptation.adaptation_record import AdaptationRecord
from training.artifact.directory import WEIGHTS_FILE, Artifact
from training.foundation.atomic_files import file_sha256

MIN_FILES, MIN_BYTES = 8, 24_000
MIN_CHANGED_SHARE = 0.03  # of the bytes, for another adaptation to be worth it
TOO_LITTLE, UNCHANGED = "too little", "unchanged"


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """What a plan is made from.

    Attributes:
        workspace: The workspace's files.
        artifact: The artifact to start from.
        origin: The one with which the first adaptation began; the same if this is the first.
        previous: What that artifact has learned, if it was adapted to this workspace before.
        minutes: The time allowed.
        heldout_share: Of the text, what is kept to measure on.
        is_wanted_again: Whether to train even if little has changed.
    """

    workspace: WorkspaceFiles
    artifact: Artifact
    origin: Path
    previous: AdaptationRecord | None
    minutes: float
    heldout_share: float
    is_wanted_again: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The record of an adaptation, and what its configs need besides.

    Attributes:
        record: What it learns from, how, and what it is measured on.
        schedule: How to train; None if there is nothing to train.
        measured_bytes: The general code to measure what is forgotten on.
    """

    record: AdaptationRecord
    schedule: Schedule | None
    measured_bytes: int = 0


def make_plan(inputs: PlanInputs, speed: TrainingSpeed) -> Plan:
    """Returns the plan; its schedule is None if there is nothing to train.

    Args:
        inputs: What it is made from.
        speed: Of training here.
    """
    files = inputs.workspace.files
    record = _describe(inputs)
    verdict = _decline(inputs)
    if verdict is not None:
        word, sentence = verdict
        return Plan(record=replace(record, verdict=word, sentence=sentence), schedule=None)
    heldout = _hold_out(inputs)
    out = {*heldout.newest, *heldout.by_hash}
    learned = {path: facts for path, facts in files.items() if path not in out}
    budget = TimeBudget(inputs.minutes, general_bytes=_count_general_bytes(UNREAD_FILE))
    schedule = choose_schedule(
        seconds=budget.training_s,
        own_bytes=_count_bytes(learned),
        most_replay_bytes=_count_general_bytes(REPLAY_FILE),
        block_tokens=inputs.artifact.context_tokens,
        n_embd=inputs.artifact.config.n_embd,
        speed=speed,
    )
    step_tokens = schedule.batch_blocks * inputs.artifact.context_tokens
    record = replace(
        record,
        files={path: facts.sha256 for path, facts in sorted(learned.items())},
        heldout_newest=heldout.newest,
        heldout_by_hash=heldout.by_hash,
        steps=schedule.steps,
        batch_blocks=schedule.batch_blocks,
        matrix_learning_rate=schedule.matrix_learning_rate,
        learning_rate=schedule.learning_rate,
        epochs=schedule.epochs,
        replay_share=round(schedule.replay_share, 4),
        tokens_per_s=round(speed.count_tokens(1.0, batch_tokens=step_tokens), 1),
        items=budget.items,
        typed_files=budget.typed_files,
        bits_files=budget.bits_files,
        training_s=round(budget.training_s, 1),
        measuring_s=round(budget.measuring_s, 1),
    )
    return Plan(record=record, schedule=schedule, measured_bytes=budget.measured_bytes)


def _describe(inputs: PlanInputs) -> AdaptationRecord:
    workspace, base, origin = inputs.workspace, inputs.artifact.path, inputs.origin
    return AdaptationRecord(
        folder=str(workspace.folder),
        root_commit=workspace.root_commit,
        commit=workspace.commit,
        subfolder=workspace.subfolder,
        base=str(base),
        base_sha256=file_sha256(base / WEIGHTS_FILE),
        origin=str(origin),
        origin_sha256=file_sha256(origin / WEIGHTS_FILE),
        is_renewed=inputs.previous is not None,
        n_bytes=_count_bytes(workspace.files),
        minutes=inputs.minutes,
    )


def _decline(inputs: PlanInputs) -> tuple[str, str] | None:
    """Returns why there is nothing to train, in a word and in a sentence; None if there is."""
    files, previous = inputs.workspace.files, inputs.previous
    n_bytes = _count_bytes(files)
    if len(files) < MIN_FILES or n_bytes < MIN_BYTES:
        return TOO_LITTLE, (
            f"The repository has {len(files)} Python files with {n_bytes // 1000} kB to learn"
            f" from, and an adaptation needs {MIN_FILES} files with {MIN_BYTES // 1000} kB: the"
            " model stays as it is."
        )
    if previous is None or inputs.is_wanted_again:
        return None
    aside = {*previous.heldout}  # the newest of them are learned from once others are newer
    known = {*previous.files.values()}  # a file that was only moved has nothing new
    changed = {
        path: facts
        for path, facts in files.items()
        if facts.sha256 not in known and path not in aside
    }
    share = _count_bytes(changed) / n_bytes
    if share >= MIN_CHANGED_SHARE:
        return None
    return UNCHANGED, (
        f"Since the last adaptation {_floor(share):.1%} of the code has changed, too little to be"
        f" worth another one (from {MIN_CHANGED_SHARE:.0%} on): the adapted model stays as it is."
    )


def _hold_out(inputs: PlanInputs) -> HeldoutFiles:
    files = inputs.workspace.files
    return choose_heldout(
        {path: facts.n_bytes for path, facts in files.items()},
        inputs.workspace.changes,
        share=inputs.heldout_share,
        learned=() if inputs.previous is None else _list_learned(files, inputs.previous),
    )


def _list_learned(files: Mapping[str, FileFacts], previous: AdaptationRecord) -> list[str]:
    """Returns the files of which a version was learned from, by its path then or by its text."""
    known = {*previous.files.values()}
    return [p for p, facts in files.items() if p in previous.files or facts.sha256 in known]


def _floor(share: float) -> float:
    """Returns a share as it is shown, so that one below a limit is not shown as the limit."""
    return math.floor(1000 * share) / 1000


def _count_bytes(files: Mapping[str, FileFacts]) -> int:
    return sum(facts.n_bytes for facts in files.values())


def _count_general_bytes(sample: Path) -> int:
    return sum(document.n_bytes for document in read_sample(sample))
