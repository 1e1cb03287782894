"""How a user uses suggestions: a local file of counts, which never leaves the machine.

One JSON object a line, appended, so that several editors may write at once; no code and no file
names. Editors report what was shown and accepted; ``parrotlet stats`` adds it up.
"""

import dataclasses
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal, get_args

AcceptedPart = Literal["whole", "word", "line"]
ACCEPTED_PARTS: tuple[AcceptedPart, ...] = get_args(AcceptedPart)

FILE_NAME = "statistics.jsonl"
_MAX_BYTES = 4 << 20  # then the older half is dropped
_MIN_LATENCIES = 2

_log = logging.getLogger(__name__)


class UsageStatistics:
    """Appends to the file; if it cannot be written, warns once and records no more.

    Args:
        folder: Where the file is; None keeps no statistics.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE_NAME

    def record_shown(self, *, n_chars: int, ms: float) -> None:
        """Records that a suggestion was shown, and how long it took."""
        self._append({"event": "shown", "characters": n_chars, "ms": round(ms, 1)})

    def record_accepted(self, *, n_chars: int, part: AcceptedPart) -> None:
        """Records that this part of a suggestion was accepted."""
        self._append({"event": "accepted", "characters": n_chars, "how": part})

    def record_rejected(self) -> None:
        """Records that a suggestion was dismissed."""
        self._append({"event": "rejected"})

    def _append(self, record: dict[str, object]) -> None:
        if self._path is None:
            return
        line = json.dumps({"time": int(time.time()), **record}) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > _MAX_BYTES:
                _drop_older_half(self._path)
            with self._path.open("a", encoding="ascii") as file:
                file.write(line)
        except OSError as error:
            _log.warning("cannot write the statistics to %s: %s", self._path, error.strerror)
            self._path = None


@dataclass(frozen=True, kw_only=True)
class UsageSummary:
    """The statistics, added up; latencies are None where there are too few."""

    shown: int
    accepted: int
    rejected: int
    accepted_by: dict[AcceptedPart, int]
    characters_saved: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None

    def to_json(self) -> dict[str, object]:
        """Returns the figures, for programs."""
        return dataclasses.asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Returns rows of a label and a text, for people."""
        whole, by = self.accepted_by["whole"], self.accepted_by
        share = f" ({whole / self.shown:.0%})" if 0 < whole <= self.shown else ""
        rows = [
            ("Shown", f"{self.shown:,}"),
            ("Accepted in full", f"{whole:,}{share}"),
            ("Accepted in part", f"{by['word']:,} by word, {by['line']:,} by line"),
            ("Dismissed", f"{self.rejected:,}"),
            ("Characters saved", f"{self.characters_saved:,}"),
        ]
        if self.latency_p50_ms is not None and self.latency_p95_ms is not None:
            p50, p95 = self.latency_p50_ms, self.latency_p95_ms
            rows.append(("Latency", f"{p50:.0f} ms median, {p95:.0f} ms 95th percentile"))
        return rows


def read_summary(folder: Path | None) -> UsageSummary:
    """Adds up a folder's statistics; all zeros if there are none, or no folder."""
    counts = {"shown": 0, "accepted": 0, "rejected": 0}
    by_part = dict.fromkeys(ACCEPTED_PARTS, 0)
    saved, latencies = 0, []
    for record in () if folder is None else _records(folder / FILE_NAME):
        counts[record["event"]] += 1
        if record["event"] == "accepted":
            by_part[record["how"]] += 1
            saved += max(0, record["characters"] - 1)  # accepting takes one keystroke
        elif record["event"] == "shown":
            latencies.append(record["ms"])
    is_known = len(latencies) >= _MIN_LATENCIES
    p95 = quantiles(latencies, n=20, method="inclusive")[-1] if is_known else None
    return UsageSummary(
        shown=counts["shown"],
        accepted=counts["accepted"],
        rejected=counts["rejected"],
        accepted_by=by_part,
        characters_saved=saved,
        latency_p50_ms=round(median(latencies), 1) if is_known else None,
        latency_p95_ms=None if p95 is None else round(p95, 1),
    )


def _drop_older_half(path: Path) -> None:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True)
    aside = path.with_suffix(".aside")
    aside.write_text("".join(lines[len(lines) // 2 :]), encoding="ascii", errors="replace")
    aside.replace(path)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the complete records: a line may be torn, or written by another version."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            record = json.loads(line)
            if record["event"] == "shown":
                record["ms"] = float(record["ms"])
            elif record["event"] == "accepted":
                record["characters"] = int(record["characters"])
                if record["how"] not in ACCEPTED_PARTS:
                    continue
            elif record["event"] != "rejected":
                continue
        except (ValueError, KeyError, TypeError):
            continue
        yield record
