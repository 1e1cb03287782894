"""The process of an adaptation: runs its stages, reports, and installs what is better.

It writes into a work folder beside the finished artifacts, so that the model in use is never
touched, and whatever interrupts it leaves that model in use. Started by
:mod:`server.adaptation.adaptations`.
"""

import contextlib
import dataclasses
import math
import os
import shutil
import sys
import time
from pathlib import Path

from parrotlet.adaptation.adaptation_stages import BEFORE, JUDGED, AdaptationStages, find_phase
from parrotlet.pipeline.conditions import Conditions
from parrotlet.pipeline.stage_runner import CancelledError, Pause, Progress, StageRunner
from server.adaptation.adaptation_request import REQUEST_FILE, AdaptationRequest
from server.adaptation.adaptation_state import (
    AdaptationState,
    Outcome,
    Phase,
    RunState,
    find_process_mark,
    find_start_time,
)
from server.adaptation.adaptations import (
    PAUSED_BY_USER,
    TYPING_FILE,
    Control,
    discard_work,
    is_same_plan,
    read_control,
)
from server.adaptation.adapted_models import (
    ARTIFACTS_FOLDER,
    PAGE_FILE,
    RESULT_FILE,
    WORK_FOLDER,
    AdaptedModel,
)
from server.backends.model_store import find_model_folder, resolve_model_name
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.artifact.bundled import resolve_artifact
from training.artifact.manifest import MANIFEST_FILE, check_files, read_manifest
from training.foundation.atomic_files import file_sha256, write_json_atomically
from training.foundation.background.low_priority import yield_processor
from training.foundation.errors import ArtifactError, ConfigError, ParrotletError, describe_error
from training.foundation.folder_lock import FolderInUseError, folder_lock
from training.foundation.foreign_text import as_object, read_json
from training.foundation.git_commit import UNKNOWN, read_commit
from training.foundation.privacy.private_paths import is_private_path, list_folder_names
from training.foundation.work_trees import find_work_tree

KEPT_VERSIONS = 2
_REPORT_S = 1.0
_ENOUGH_DONE = 0.1  # to extrapolate from
_WEIGHTS = "model.safetensors"
_NEEDED = frozenset({"config.json", "tokenizer.json", _WEIGHTS})  # of an artifact
_START_FILE = "start.json"
_DONE_FOLDER = "done"  # a work folder that is being removed
_NOT_CONTINUED = "so this one was made from the base model."
_IS_DAMAGED = f"The earlier adapted model is damaged, {_NOT_CONTINUED}"
_KNOWS_PRIVATE = f"The earlier adapted model had learned what is private now, {_NOT_CONTINUED}"


def run_adaptation(file: Path) -> None:
    """Runs the adaptation that a request file describes, or what is left of it.

    Raises:
        ParrotletError: It has failed; its state says why.
    """
    try:
        _run_request(file)
    except FolderInUseError:
        return  # another process goes on with it already
    except Exception as error:
        _note_failure(file.parent, error)
        raise


def _run_request(file: Path) -> None:
    request = AdaptationRequest.read(file)
    if request.yields:
        yield_processor()
    model = AdaptedModel.read(file.parent)
    if model is None:
        raise ConfigError(f"{file} belongs to no adapted model; start one with parrotlet adapt")
    _create_typing_file(file.parent.parent / TYPING_FILE)
    with folder_lock(model.folder):
        _Runner(model, request).run()


def _note_failure(folder: Path, error: Exception) -> None:
    """Writes why an adaptation has failed; else it would seem to have been ended from outside."""
    state = AdaptationState.read(folder)
    if state is None:
        return
    report = describe_error(error) if _is_expected(error) else None
    reason = report.message.removeprefix("error: ") if report else type(error).__name__
    sentence = f"The adaptation failed: {reason}"
    failed = dataclasses.replace(state, state=RunState.FAILED, reason=reason, sentence=sentence)
    with contextlib.suppress(OSError):  # the disk may be full: the log has the first error
        failed.write(folder)


def _create_typing_file(file: Path) -> None:
    """Creates the file whose time editors set while the user types; nobody has typed yet."""
    if not file.exists():
        file.touch(mode=0o600)
        os.utime(file, (0, 0))


class _Runner:
    """One process's work on an adaptation."""

    _stages: AdaptationStages  # once the models are chosen

    def __init__(self, model: AdaptedModel, request: AdaptationRequest) -> None:
        self._model = model
        self._request = request
        self._work = model.folder / WORK_FOLDER
        self._conditions = Conditions(
            model.folder.parent / TYPING_FILE,
            needs_power=request.pauses_on_battery,
            needs_quiet=request.pauses_while_typing,
        )
        before = AdaptationState.read(model.folder)
        self._state = AdaptationState(
            name=model.name,
            folder=str(request.folder),
            started=time.time() if before is None else before.started,
            pid=os.getpid(),
            pid_started=find_start_time(os.getpid()),
            pid_mark=find_process_mark(os.getpid()),
        )
        self._record = AdaptationRecord()
        self._reported = 0.0
        self._done_at_start: float | None = None  # when this process began
        self._runner = StageRunner(self._work, [], self._find_pause, self._report)

    def run(self) -> None:
        """Runs all stages that are left."""
        self._prepare_work()
        self._stages = AdaptationStages(self._work, self._request, *self._choose_models())
        try:
            self._run_stages()
        except CancelledError:
            discard_work(self._model.folder, self._state)

    def _prepare_work(self) -> None:
        """Makes the work folder, without what was planned for other options or another start.

        Before anything is trained, nor what was planned for a commit that is not the newest any
        more: it may be gone, or what made an adaptation to it fail mended.
        """
        planned_for = self._work / REQUEST_FILE
        if planned_for.is_file():
            try:
                is_same = is_same_plan(AdaptationRequest.read(planned_for), self._request)
            except ConfigError:  # damaged
                is_same = False
            if not is_same or not self._has_start() or self._is_outdated():
                shutil.rmtree(self._set_work_aside(), ignore_errors=True)
        self._work.mkdir(mode=0o700, exist_ok=True)
        self._request.write(planned_for)

    def _has_start(self) -> bool:
        """Returns whether the models that it began with are there as they were, if chosen.

        The bundled one moves with the server, and changes with it.
        """
        file, plan_file = self._work / _START_FILE, self._work / ADAPTATION_FILE
        if not file.is_file():
            return True
        try:
            base, origin = _read_start(file)
            plan = AdaptationRecord()
            if plan_file.is_file():
                plan = AdaptationRecord.read(plan_file)
            planned = {(base, plan.base_sha256), (origin, plan.origin_sha256)}
            is_intact = all(_has_weights(artifact, sha256) for artifact, sha256 in planned)
        except (ArtifactError, KeyError, OSError, ValueError):
            return False
        return is_intact and (base == origin or _find_damage(base) is None)

    def _is_outdated(self) -> bool:
        """Returns whether the repository has moved on since the plan, and nothing was measured."""
        plan_file = self._work / ADAPTATION_FILE
        if self._runner.is_finished(BEFORE) or not plan_file.is_file():
            return False
        try:
            planned = AdaptationRecord.read(plan_file).commit
        except ArtifactError:  # damaged
            return True
        repository = find_work_tree(self._request.folder.resolve())
        found = UNKNOWN if repository is None else read_commit(repository)
        return bool(planned) and found not in {planned, UNKNOWN}

    def _set_work_aside(self) -> Path:
        """Renames the work folder, so that nothing of it counts; returns it, to be removed."""
        done = self._model.folder / _DONE_FOLDER
        shutil.rmtree(done, ignore_errors=True)
        return self._work.rename(done)

    def _run_stages(self) -> None:
        plan = self._stages.plan
        self._runner.stages = [plan, *self._stages.list_rest(AdaptationRecord(items=1))]
        self._runner.run(plan)
        self._record = record = self._stages.read_record()
        self._model = self._model.reread()  # the user may have chosen another since
        self._model = self._model.update(
            path=str(self._request.folder.resolve()),
            root_commit=record.root_commit,
            subfolder=record.subfolder,
            # That of the model in use stays, until another is in use
            base=self._request.model if self._model.artifact is None else self._model.record.base,
        )
        if record.verdict:
            self._finish(Outcome(record.verdict), record.sentence)
            return
        rest = self._stages.list_rest(record)
        self._runner.stages = [plan, *rest]
        self._runner.run_all()
        self._install()

    def _choose_models(self) -> tuple[Path, Path]:
        """Returns the artifacts to start from and with which it all began.

        After an interruption they are the same. An adapted artifact is not gone on with if it is
        damaged, or has learned what is private now.
        """
        file = self._work / _START_FILE
        if file.is_file():
            return _read_start(file)
        origin = resolve_artifact(find_model_folder(self._request.model)).absolute()
        adapted, base = self._model.artifact, origin
        made_from, wanted = self._model.record.base, self._request.model
        is_of_this = resolve_model_name(made_from) == resolve_model_name(wanted)
        damage = None if adapted is None or not is_of_this else _find_damage(adapted)
        note = ""
        if damage is not None:
            note = _IS_DAMAGED
            sys.stderr.write(f"{damage}\n{note}\n")
        elif adapted is not None and is_of_this and _is_made_from(adapted, origin):
            if _has_learned_private(adapted, self._request):
                note = _KNOWS_PRIVATE
            else:
                base = adapted
        chosen = {
            "base": str(base),
            "origin": str(origin),
            "version": f"{int(max(self._model.versions, default='0')) + 1:04d}",
            "note": note and f" {note}",
        }
        write_json_atomically(file, chosen)
        return base, origin

    def _install(self) -> None:
        """Puts the adapted artifact in use, if it is better."""
        folder, judged = self._model.folder, self._work / JUDGED
        result = as_object(read_json(judged / RESULT_FILE))
        outcome, sentence = Outcome(str(result["outcome"])), str(result["sentence"])
        measured = {
            **result,
            "worked_s": round(self._runner.worked_s),
            "peak_bytes": self._runner.peak_bytes,
        }
        for name in (RESULT_FILE, PAGE_FILE):
            shutil.copyfile(judged / name, folder / name)
        write_json_atomically(folder / RESULT_FILE, measured)
        if outcome is Outcome.BETTER:
            version = str(as_object(read_json(self._work / _START_FILE))["version"])
            target = folder / ARTIFACTS_FOLDER / version
            target.parent.mkdir(mode=0o700, exist_ok=True)
            if not target.exists():  # else we were killed since
                self._stages.artifact.rename(target)
            self._model = self._model.use_version(version, self._request.model)
            for old in self._model.versions[:-KEPT_VERSIONS]:
                shutil.rmtree(folder / ARTIFACTS_FOLDER / old, ignore_errors=True)
        self._finish(outcome, sentence)

    def _finish(self, outcome: Outcome, sentence: str) -> None:
        note = str(as_object(read_json(self._work / _START_FILE)).get("note", ""))
        page, done = self._model.page, self._set_work_aside()
        self._write(
            state=RunState.FINISHED,
            phase=Phase.INSTALLATION,
            done=1.0,
            left_s=0.0,
            outcome=outcome,
            sentence=f"{sentence}{note}",
            reason=None,
            page=None if page is None else str(page),
        )
        shutil.rmtree(done, ignore_errors=True)

    def _find_pause(self, is_running: bool) -> Pause | None:
        control = read_control(self._model.folder)
        if control is Control.CANCEL:
            raise CancelledError
        if control is Control.PAUSE:
            return Pause(PAUSED_BY_USER)
        with contextlib.suppress(ConfigError):  # damaged: what it said before counts
            asked = AdaptationRequest.read(self._model.folder / REQUEST_FILE)
            self._conditions.needs_power = asked.pauses_on_battery
            self._conditions.needs_quiet = asked.pauses_while_typing
        return self._conditions.find_pause(is_running=is_running)

    def _report(self, progress: Progress) -> None:
        state = RunState.PAUSED if progress.pause else RunState.RUNNING
        is_new = state is not self._state.state or find_phase(progress.stage) != self._state.phase
        now = time.monotonic()
        if not is_new and now - self._reported < _REPORT_S:
            return
        self._reported = now
        training = self._stages.read_training()
        reason = progress.pause.reason if progress.pause else None
        left_s = None if reason == PAUSED_BY_USER else self._estimate_left(progress)
        self._write(
            state=state,
            phase=find_phase(progress.stage),
            done=round(progress.done, 4),
            left_s=left_s,
            step=training.step,
            steps=self._record.steps,
            loss=training.loss,
            reason=reason,
            sentence=_describe(find_phase(progress.stage), progress, left_s),
        )

    def _estimate_left(self, progress: Progress) -> float:
        """Returns the seconds left: as planned at first, then as fast as it has gone here."""
        planned = sum(stage.weight_s for stage in self._runner.stages)
        if self._done_at_start is None:
            self._done_at_start = progress.done
        done = progress.done - self._done_at_start
        pace = self._runner.worked_s / (planned * done) if done > _ENOUGH_DONE else 1.0
        return round(planned * (1 - progress.done) * pace)

    def _write(self, **changes: object) -> None:
        self._state = dataclasses.replace(self._state, **changes)  # type: ignore[arg-type]
        self._state.write(self._model.folder)


def _describe(phase: Phase, progress: Progress, left_s: float | None) -> str:
    if progress.pause is not None:
        return f"Adaptation {progress.pause.reason} ({progress.done:.0%} done)."
    minutes = math.ceil((left_s or 0) / 60)
    left = "less than a minute" if minutes <= 1 else f"about {minutes} minutes"
    return f"{phase.text}: {progress.done:.0%}, {left} left."


def _read_start(file: Path) -> tuple[Path, Path]:
    """Returns the artifacts that were chosen: to start from, and with which it all began."""
    chosen = as_object(read_json(file))
    base = Path(str(chosen["base"]))
    return base, Path(str(chosen.get("origin", base)))


def _has_weights(artifact: Path, sha256: str) -> bool:
    """Returns whether an artifact has the weights with a hash; whether it has any, if it is ""."""
    weights = artifact / _WEIGHTS
    return weights.is_file() and sha256 in {"", file_sha256(weights)}


def _find_damage(adapted: Path) -> str | None:
    """Returns why an adapted artifact cannot be gone on with; None if it can."""
    try:
        manifest = read_manifest(adapted / MANIFEST_FILE)
        check_files(adapted, manifest, _NEEDED.union(manifest.sha256))
        AdaptationRecord.read(adapted / ADAPTATION_FILE)
    except (ArtifactError, OSError) as error:
        return str(error)
    return None


def _is_made_from(adapted: Path, origin: Path) -> bool:
    """Returns whether an adapted artifact began with the model that would be adapted now."""
    record = AdaptationRecord.read(adapted / ADAPTATION_FILE)
    return record.origin_sha256 == file_sha256(origin / _WEIGHTS)


def _has_learned_private(adapted: Path, request: AdaptationRequest) -> bool:
    """Returns whether an adapted artifact has learned files that a request keeps private."""
    folder = request.folder.resolve()
    names = list_folder_names(find_work_tree(folder) or folder)
    files = AdaptationRecord.read(adapted / ADAPTATION_FILE).files
    return any(is_private_path(path, request.private_globs, names) for path in files)


def _is_expected(error: Exception) -> bool:
    return isinstance(error, (ParrotletError, OSError, MemoryError))
