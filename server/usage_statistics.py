"""How suggestions fare with this user: a local file of counts, which never leaves the machine.

One JSON object a line, appended, so that several editors may write it at once; no text, no names of
files. Editors tell what was shown and taken; ``parrotlet stats`` adds it up.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal, get_args

How = Literal["whole", "word", "line"]
HOWS: tuple[How, ...] = get_args(How)

FILE_NAME = "statistics.jsonl"
_MOST_BYTES = 4 << 20  # then the older half goes
_LEAST_LATENCIES = 2

_log = logging.getLogger(__name__)


def default_folder() -> Path | None:
    """Returns where programs of this system keep what they know of their user.

    None if there is no such place: a user without a home folder, as in some containers.
    """
    named = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_DATA_HOME")
    if os.environ.get(named):
        return Path(os.environ[named]) / "parrotlet"
    below = {"darwin": "Library/Application Support", "win32": "AppData/Local"}
    try:
        return Path.home() / below.get(sys.platform, ".local/share") / "parrotlet"
    except RuntimeError:
        return None


class Statistics:
    """Appends what happens. What cannot be written is given up with one warning.

    Args:
        folder: Where the file stands; None keeps none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE_NAME

    def shown(self, *, n_chars: int, ms: float) -> None:
        """Takes down that a suggestion was shown, and how long it took."""
        self._append({"event": "shown", "characters": n_chars, "ms": round(ms, 1)})

    def accepted(self, *, n_chars: int, how: How) -> None:
        """Takes down that so much of one was taken."""
        self._append({"event": "accepted", "characters": n_chars, "how": how})

    def rejected(self) -> None:
        """Takes down that one was dismissed."""
        self._append({"event": "rejected"})

    def _append(self, record: dict[str, Any]) -> None:
        if self._path is None:
            return
        line = json.dumps({"time": int(time.time()), **record}) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > _MOST_BYTES:
                _halve(self._path)
            with self._path.open("a", encoding="ascii") as file:
                file.write(line)
        except OSError as error:
            _log.warning("cannot write the statistics to %s: %s", self._path, error.strerror)
            self._path = None


def summary(folder: Path | None) -> dict[str, Any]:
    """Adds a folder's statistics up; zeros if there are none, or no folder."""
    counts = {"shown": 0, "accepted": 0, "rejected": 0}
    by_how = dict.fromkeys(HOWS, 0)
    saved, latencies = 0, []
    for record in () if folder is None else _records(folder / FILE_NAME):
        counts[record["event"]] += 1
        if record["event"] == "accepted":
            by_how[record["how"]] += 1
            saved += max(0, record["characters"] - 1)  # taking costs a key
        elif record["event"] == "shown":
            latencies.append(record["ms"])
    is_known = len(latencies) >= _LEAST_LATENCIES
    return {
        **counts,
        "accepted_by": by_how,
        "characters_saved": saved,
        "latency_p50_ms": round(median(latencies), 1) if is_known else None,
        "latency_p95_ms": round(quantiles(latencies, n=20)[-1], 1) if is_known else None,
    }


def statistics_rows(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns a summary as rows of a label and a text, for people."""
    shown, by = figures["shown"], figures["accepted_by"]
    share = f" ({by['whole'] / shown:.0%})" if 0 < by["whole"] <= shown else ""
    rows = [
        ("Shown", f"{shown:,}"),
        ("Accepted in full", f"{by['whole']:,}{share}"),
        ("Accepted in part", f"{by['word']:,} by word, {by['line']:,} by line"),
        ("Dismissed", f"{figures['rejected']:,}"),
        ("Characters saved", f"{figures['characters_saved']:,}"),
    ]
    if figures["latency_p50_ms"] is not None:
        p50, p95 = figures["latency_p50_ms"], figures["latency_p95_ms"]
        rows.append(("Latency", f"{p50:.0f} ms median, {p95:.0f} ms 95th percentile"))
    return rows


def _halve(path: Path) -> None:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True)
    aside = path.with_suffix(".aside")
    aside.write_text("".join(lines[len(lines) // 2 :]), encoding="ascii", errors="replace")
    aside.replace(path)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the records that are whole: a line may be torn, or another version's."""
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
                if record["how"] not in HOWS:
                    continue
            elif record["event"] != "rejected":
                continue
        except (ValueError, KeyError, TypeError):
            continue
        yield record
