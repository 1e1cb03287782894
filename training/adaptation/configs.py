"""Writes what the corpus, the shards and the training of an adaptation are made from.

The configs are those of every other run, so that the same commands read them. Called by
``python -m training.adaptation``.
"""

import re
from pathlib import Path
from typing import Any

from training.adaptation.adaptation_plan import Plan
from training.adaptation.general_code import (
    REPLAY_FILE,
    UNREAD_FILE,
    choose_prefix,
    move_documents,
    read_sample,
    take_bytes,
)
from training.adaptation.repository_files import WorkspaceFiles
from training.adaptation.schedule import TEACHER_WEIGHT, Schedule, divide_batch
from training.artifact.directory import Artifact
from training.foundation.atomic_files import write_text_atomically
from training.foundation.config_schema import render_toml

CORPUS_CONFIG, RUN_CONFIG = "corpus.toml", "run.toml"
CORPUS, SHARDS, RUN = "corpus", "shards", "run"
REPLAY, GENERAL = "replay.jsonl", "general.jsonl"
OWN_LICENCE = "LicenseRef-Own"  # whatever it says: the model stays on this machine
_SAVE_EVERY_TOKENS = 400_000  # about a minute on two cores
_VALIDATION_BLOCKS = 8  # the stages before and after measure what counts
_LICENCE_NAME = re.compile(r"[\w.+-]+")
_FIM = ("rate", "spm_share", "line_share", "more_lines", "bracket_share", "block_share")


def write_configs(
    work: Path,
    plan: Plan,
    workspace: WorkspaceFiles,
    artifact: Artifact,
    private_globs: tuple[str, ...],
) -> None:
    """Writes the configs and the general code into a work folder."""
    assert plan.schedule is not None
    prefix = choose_prefix(workspace.files)
    general = take_bytes(read_sample(REPLAY_FILE), plan.schedule.replay_bytes)
    learned = move_documents(general, prefix)
    unread = take_bytes(read_sample(UNREAD_FILE), plan.measured_bytes)
    write_text_atomically(work / REPLAY, "".join(d.to_json_line() for d in learned))
    write_text_atomically(work / GENERAL, "".join(d.to_json_line() for d in unread))
    names = {name for d in learned for name in _LICENCE_NAME.findall(d.licence)}
    licences = [OWN_LICENCE, *sorted(names - {"AND", "OR", "WITH"})]
    corpus = _corpus_config(
        work, plan, workspace, private_globs, licences, has_replay=bool(learned)
    )
    write_text_atomically(work / CORPUS_CONFIG, render_toml(corpus))
    distil = _distil_settings(plan.schedule, plan.record.origin, prefix)
    run = _run_config(work, plan.schedule, artifact, distil)
    write_text_atomically(work / RUN_CONFIG, render_toml(run))


def _corpus_config(
    work: Path,
    plan: Plan,
    workspace: WorkspaceFiles,
    private_globs: tuple[str, ...],
    licences: list[str],
    *,
    has_replay: bool,
) -> dict[str, Any]:
    assert plan.schedule is not None
    sources: dict[str, Any] = {"folder_licence": OWN_LICENCE, "private_globs": list(private_globs)}
    if workspace.repository is None:
        sources["folders"] = [str(workspace.folder)]
        sources["nested_repositories"] = True
    else:
        sources["git"] = [f"{workspace.repository}@{workspace.commit}"]
        sources["git_folder"] = workspace.subfolder
    if has_replay:
        sources["records"] = [str(work / REPLAY)]
    return {
        "out": str(work / CORPUS),
        "cache": str(work / "cache"),
        "licences": licences,
        "heldout_files": list(plan.record.heldout),
        "heldout_share": 0.0,
        "decontaminate": [],
        "processes": 1,
        "sources": sources,
        "balance": {"max_package_bytes": plan.schedule.own_bytes + _slack(plan)},
    }


def _slack(plan: Plan) -> int:
    """Returns bytes that files may grow by while secrets are replaced, so that none is cut."""
    return 1 << 16 if plan.schedule and plan.schedule.own_bytes else 0


def _run_config(
    work: Path, schedule: Schedule, artifact: Artifact, distil: dict[str, Any]
) -> dict[str, Any]:
    block_tokens = artifact.context_tokens
    fim = dict(dict(artifact.manifest.training.config.get("shards") or {}).get("fim") or {})
    return {
        "name": "adapted",
        "paths": {
            "corpus": str(work / CORPUS),
            "tokenizer": str(artifact.path),
            "shards": str(work / SHARDS),
            "run": str(work / RUN),
        },
        "shards": {
            "block_tokens": block_tokens,
            "processes": 1,
            "fim": {name: fim[name] for name in _FIM if name in fim},
        },
        "model": {
            "n_embd": artifact.config.n_embd,
            "n_layer": artifact.config.n_layer,
            "n_head": artifact.config.n_head,
            "activation_function": artifact.config.activation_function,
        },
        "optim": {
            "matrix_learning_rate": schedule.matrix_learning_rate,
            "learning_rate": schedule.learning_rate,
            "warmup_steps": schedule.warmup_steps,
            "decay_share": 1.0,
        },
        "pretrain": _pretrain_settings(schedule, artifact),
        "distil": distil,
    }


def _pretrain_settings(schedule: Schedule, artifact: Artifact) -> dict[str, Any]:
    block_tokens = artifact.context_tokens
    step_tokens = schedule.batch_blocks * block_tokens
    return {
        "start_from": str(artifact.path),
        "steps": schedule.steps,
        "batch_blocks": schedule.batch_blocks,
        "micro_batch_blocks": divide_batch(schedule.batch_blocks, block_tokens),
        "validate_every_steps": schedule.steps + 1,
        "final_validation_blocks": _VALIDATION_BLOCKS,
        "save_every_steps": max(1, min(schedule.steps, _SAVE_EVERY_TOKENS // step_tokens)),
        "tracker": "none",
    }


def _distil_settings(schedule: Schedule, teacher: str, prefix: str) -> dict[str, Any]:
    """Returns the settings by which a model teaches general code, if there is any."""
    if not schedule.replay_bytes:
        return {}
    return {"teacher": teacher, "path_prefix": prefix, "weight": TEACHER_WEIGHT}
