"""What sessions came to: how soon, how often and how rightly something was shown, what it saved."""

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluation.replay.session import Record

_MS_DIGITS = 1


def summarise(
    records: Sequence[Record], server_events: Iterable[Mapping[str, Any]], *, cpu_s: float | None
) -> dict[str, Any]:
    """Returns the figures of a replay.

    Args:
        records: Of all sessions.
        server_events: The server's own log, for tokens.
        cpu_s: The server's processor time during the sessions.
    """
    events = [event for record in records for event in record.events]
    keys = [e for e in events if e["event"] == "key"]
    answers = [e for e in events if e["event"] == "answer"]
    in_time = [e["ms"] for e in answers if e["late_ms"] is None]
    called_off = [e["late_ms"] for e in answers if e["late_ms"] is not None]
    shown = [e for e in events if e["event"] == "shown" and e["is_on_way"]]
    new = [e for e in shown if e["is_new"]]
    accepted = [e for e in events if e["event"] == "accept"]
    saved = sum(len(e["text"]) - 1 for e in accepted)  # taking costs a key
    written = sum(len(record.task.target) for record in records)
    minutes = sum(record.events[-1]["at"] for record in records if record.events) / 60
    return {
        "files": len(records),
        "keys": len(keys),
        "characters": written,
        "minutes": round(minutes, 2),
        "requests": len(answers),
        "answered_in_time": len(in_time),
        "latency_ms": _percentiles(in_time),
        "cancellation_ms": _percentiles(called_off),
        "latency_shown_ms": _percentiles(_shown_latencies(records)),
        "keys_with_ghost": _share(sum(e["ghost"] is not None for e in keys), len(keys)),
        "suggestions": len(new),
        "precision_of_suggestions": _share(sum(e["is_right"] for e in new), len(new)),
        "precision_of_shown": _share(sum(e["is_right"] for e in shown), len(shown)),
        "accepted": len(accepted),
        "characters_saved": _share(saved, written),
        "cpu_s_per_minute": None if cpu_s is None or not minutes else round(cpu_s / minutes, 2),
        "faults": sorted(fault for record in records for fault in record.faults),
        "stale_answers": sum("had changed" in f for record in records for f in record.faults),
        **_tokens(server_events),
    }


def _tokens(server_events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    prompt = reused = new = 0
    for event in server_events:
        prompt += event["prompt_tokens"]
        reused += event["reused_tokens"]
        new += event["new_tokens"]
    return {
        "prompt_tokens": prompt,
        "tokens_reused": _share(reused, prompt),
        "new_tokens": new,
    }


def _shown_latencies(records: Sequence[Record]) -> list[float]:
    """Returns the latency of each answer that was shown."""
    found = []
    for record in records:
        for before, event in itertools.pairwise(record.events):
            if event["event"] == "shown" and before["event"] == "answer":
                found.append(before["ms"])
    return found


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    if len(values) < 2:  # noqa: PLR2004 - quantiles want two
        return None
    twentieths = statistics.quantiles(values, n=20)
    return {
        "p50": round(statistics.median(values), _MS_DIGITS),
        "p95": round(twentieths[-1], _MS_DIGITS),
    }


def _share(part: int, whole: int) -> float | None:
    return None if whole == 0 else round(part / whole, 4)
