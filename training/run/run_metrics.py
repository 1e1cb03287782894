"""What a training run measures, as types, and their form in ``metrics.jsonl``.

Each event is a JSON object with ``event`` (its kind) and ``step``, then its values by name. Written
by :mod:`training.run.run_log`; reports are drawn from what :func:`read_metrics` returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import as_object, parse_json, read_bounded
from training.step.objective import MeanLosses
from training.step.throughput import Throughput
from training.validate import Validation

LOSS, BITS_PER_BYTE = "validation_loss", "validation_bits_per_byte"
METRICS_FILE = "metrics.jsonl"
_MAX_METRICS_BYTES = 4 << 30  # ten million steps


@dataclass(frozen=True, kw_only=True)
class StartFacts:
    """What is known when a run starts or resumes."""

    processes: int
    is_sharded: bool
    device: str
    dtype: str
    is_compiled: bool
    matmul_flops_per_s: float
    peak_source: str
    commit: str

    def values(self) -> dict[str, object]:
        """Returns the values by name."""
        return dict(self.__dict__)


@dataclass(frozen=True, kw_only=True)
class StepMetrics:
    """One optimiser step; ``tokens`` counts from the start of training, earlier runs included."""

    losses: MeanLosses
    gradient_norm: float
    rate_factor: float
    tokens: int
    throughput: Throughput

    def values(self) -> dict[str, float]:
        """Returns the values by name."""
        by_kind = {
            "loss_left_to_right": self.losses.left_to_right,
            "loss_fim": self.losses.fim,
            "divergence": self.losses.distilled,
        }
        return {
            "loss": self.losses.total,
            **{name: loss for name, loss in by_kind.items() if loss is not None},
            "gradient_norm": self.gradient_norm,
            "rate_factor": self.rate_factor,
            "tokens": self.tokens,
            "tokens_per_s": self.throughput.tokens_per_s,
            "mfu": self.throughput.mfu,
        }


@dataclass(frozen=True, kw_only=True)
class ValidationMetrics:
    """Losses on held-out documents; ``loss`` is in nats per token."""

    loss: float
    perplexity: float
    bits_per_byte: float

    @classmethod
    def of(cls, found: Validation) -> "ValidationMetrics":
        """Returns what a measurement found."""
        return cls(loss=found.loss, perplexity=found.perplexity, bits_per_byte=found.bits_per_byte)

    @property
    def summary(self) -> str:
        """Loss and bits per byte, for people."""
        return f"validation loss {self.loss:.4f}, {self.bits_per_byte:.4f} bits per byte"

    def values(self) -> dict[str, float]:
        """Returns the values by name, as the artifact's manifest has them too."""
        return {
            LOSS: self.loss,
            "validation_perplexity": self.perplexity,
            BITS_PER_BYTE: self.bits_per_byte,
        }


@dataclass(frozen=True, kw_only=True)
class SampleCompletion:
    """A fixed prompt, ``[...]`` where the middle goes, and the model's greedy completion."""

    prompt: str
    text: str


@dataclass(frozen=True, kw_only=True)
class MetricsEvent:
    """One line of ``metrics.jsonl``, read back."""

    kind: str
    step: int
    values: Mapping[str, float] = field(default_factory=dict)
    samples: tuple[SampleCompletion, ...] = ()


def read_metrics(path: Path) -> list[MetricsEvent]:
    """Returns the events of a run by step; of steps that were run twice, the last run counts.

    Lines that are damaged, such as one that a kill left half written, are skipped.

    Raises:
        CorpusError: There is no such file.
    """
    try:
        text = read_bounded(path, _MAX_METRICS_BYTES).decode("utf-8", errors="replace")
    except (OSError, ForeignDataError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CorpusError(
            f"cannot read {path} ({reason}); name the folder of a run (paths.run)"
        ) from error
    found: dict[tuple[str, int], MetricsEvent] = {}
    for line in text.splitlines():
        try:
            event = _parse_event(as_object(parse_json(line, allow_nan=True)))
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        found[event.kind, event.step] = event
    return sorted(found.values(), key=lambda event: event.step)


def _parse_event(record: dict[str, Any]) -> MetricsEvent:
    numbers = {name: v for name, v in record.items() if type(v) in {int, float}}
    step = int(numbers.pop("step"))
    samples = [SampleCompletion(prompt=p, text=t) for p, t in record.get("samples", ())]
    return MetricsEvent(
        kind=str(record["event"]), step=step, values=numbers, samples=tuple(samples)
    )
