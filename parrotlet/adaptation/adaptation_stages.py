"""The stages of an adaptation: each is a command that can be run by itself."""

from dataclasses import dataclass
from pathlib import Path

from parrotlet.pipeline.stage import Stage
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import Phase
from server.isolation import ROOT
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.foundation.foreign_text import as_object, parse_json, read_bounded

PLAN, JUDGED, ARTIFACT = "plan", "judged", "artifact"
BEFORE, AFTER = "before", "after"
LINES = "lines"
_CORPUS, _RUN, _TOML = "corpus", "run", ".toml"
_GENERAL_DOCUMENTS = "general.jsonl"
_BLEND, _SHARE_FILE = "blend", "blend.json"
_METRICS, _ANSWERS = "metrics.jsonl", "answers.jsonl"
# Batch and speed are those of one process, whatever "accelerate config" has set.
_LAUNCHER = Path(ROOT, "training", "configs", "accelerate", "one.yaml")
_ITEM_KINDS = 3
_PER_FILE = 8  # positions of each kind in a file at most
_START_S = 6.0  # for a process to import its libraries
_BLENDING_S = 30.0  # a few passes over the general code
_MAX_METRICS_BYTES = 256 << 20


@dataclass(frozen=True)
class AdaptationStages:
    """The stages in the work folder of one adaptation.

    Attributes:
        work: The folder.
        request: What was asked for.
        base: The artifact to start from.
        origin: The artifact with which the first adaptation began; it says what is forgotten.
    """

    work: Path
    request: AdaptationRequest
    base: Path
    origin: Path

    @property
    def plan(self) -> Stage:
        """Which files are learned, and for how many steps."""
        words = ["adapt-plan", str(self.request.folder), "--base", str(self.base)]
        words += ["--origin", str(self.origin), "--work", str(self.work)]
        words += ["--minutes", str(self.request.minutes)]
        words += ["--heldout-share", str(self.request.heldout_share)]
        words += [f"--private={glob}" for glob in self.request.private_globs]
        words += ["--again"] * self.request.is_wanted_again
        if self.request.tokens_per_s:
            words += ["--speed", str(self.request.tokens_per_s)]
        return Stage(name=PLAN, words=tuple(words), weight_s=_START_S + 10)

    def list_rest(self, record: AdaptationRecord) -> list[Stage]:
        """Returns the stages after the plan."""
        train = Stage(
            name="pretrain",
            words=("pretrain", str(self._toml(_RUN)), "--config_file", str(_LAUNCHER)),
            weight_s=_START_S + record.training_s,
            measure=lambda: self.read_training().step / max(1, record.steps),
        )
        return [
            Stage(
                name="corpus", words=("corpus", str(self._toml(_CORPUS))), weight_s=_START_S + 10
            ),
            Stage(name="prepare", words=("prepare", str(self._toml(_RUN))), weight_s=_START_S + 5),
            self._measure(BEFORE, self.base, self.origin, record),
            train,
            *self._assemble(),
            self._measure(AFTER, self.artifact, self.artifact, record),
            Stage(
                name=JUDGED,
                words=(
                    *("adapt-judge", str(self.work / BEFORE), str(self.work / AFTER)),
                    *("--record", str(self.artifact / ADAPTATION_FILE)),
                    *("--out", str(self.work / JUDGED)),
                ),
                weight_s=_START_S,
            ),
        ]

    @property
    def artifact(self) -> Path:
        """The adapted artifact, before it is installed."""
        return self.work / ARTIFACT

    def read_record(self) -> AdaptationRecord:
        """Returns the plan, once it is made.

        Raises:
            ArtifactError: It is damaged.
        """
        return AdaptationRecord.read(self.work / ADAPTATION_FILE)

    def read_training(self) -> "TrainingProgress":
        """Returns how far the training has come."""
        return read_training(self.work / _RUN / _METRICS)

    def _assemble(self) -> tuple[Stage, Stage]:
        trained, share = str(self.work / _RUN / "model"), str(self.work / _SHARE_FILE)
        blend = ["adapt-blend", str(self.origin), trained, "--before", str(self.work / BEFORE)]
        blend += ["--general", str(self.work / _GENERAL_DOCUMENTS)]
        blend += ["--after", str(self.work / AFTER), "--out", share]
        assemble = ["adapt-assemble", trained, "--record", str(self.work / ADAPTATION_FILE)]
        assemble += ["--blend", share, "--out", str(self.artifact)]
        return (
            Stage(name=_BLEND, words=tuple(blend), weight_s=_START_S + _BLENDING_S),
            Stage(name="assemble", words=tuple(assemble), weight_s=_START_S),
        )

    def _measure(
        self, when: str, model: Path, general_model: Path, record: AdaptationRecord
    ) -> Stage:
        out, n_items = self.work / when, record.items
        words = ["adapt-measure", str(model), "--corpus", str(self.work / _CORPUS)]
        words += ["--general", str(self.work / _GENERAL_DOCUMENTS), "--out", str(out)]
        words += ["--general-model", str(general_model)]
        words += ["--n", str(n_items), "--per-document", str(_PER_FILE), "--workspace"]
        words += ["--typed", str(record.typed_files)]
        if record.bits_files:  # which an earlier version's plan does not say
            words += ["--files", str(record.bits_files)]
        return Stage(
            name=when,
            words=tuple(words),
            weight_s=_START_S + record.measuring_s,
            measure=lambda: count_lines(out / LINES / _ANSWERS) / (_ITEM_KINDS * n_items),
        )

    def _toml(self, name: str) -> Path:
        return self.work / f"{name}{_TOML}"


def find_phase(stage: Stage) -> Phase:
    """Returns what users are told that a stage is."""
    known = {
        PLAN: Phase.DOCUMENTS,
        "corpus": Phase.DOCUMENTS,
        "prepare": Phase.DOCUMENTS,
        "pretrain": Phase.TRAINING,
        _BLEND: Phase.TRAINING,
        "assemble": Phase.TRAINING,
        BEFORE: Phase.BEFORE,
        AFTER: Phase.AFTER,
        JUDGED: Phase.INSTALLATION,
    }
    return known[stage.name]


@dataclass(frozen=True)
class TrainingProgress:
    """The newest step of a training, and its loss."""

    step: int = 0
    loss: float | None = None


def read_training(metrics: Path) -> TrainingProgress:
    """Reads how far a training has come; nothing if it has not begun."""
    try:
        data = read_bounded(metrics, _MAX_METRICS_BYTES)
        for line in reversed(data.splitlines()):
            values = as_object(parse_json(line, allow_nan=True))
            if values.get("event") == "step":
                loss = values.get("loss")
                shown = float(loss) if isinstance(loss, (int, float)) else None
                return TrainingProgress(int(values["step"]), shown)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return TrainingProgress()


def count_lines(file: Path) -> int:
    """Returns the number of lines in a file; 0 if there is none."""
    try:
        return file.read_bytes().count(b"\n")
    except OSError:
        return 0
