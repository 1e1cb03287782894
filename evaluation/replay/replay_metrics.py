"""The metrics of typing sessions: how soon, how often and how correctly something was suggested."""

import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.replay.session import STALE_ANSWER, SessionRecord
from evaluation.replay.session_events import (
    AnswerReceived,
    KeyPressed,
    SessionEvent,
    SuggestionAccepted,
    SuggestionShown,
)
from evaluation.runs.record_fields import get_optional_field

NOT_READ_ANEW = "the prompt was in the cache"
_MS_DIGITS = 1


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """The median and the 95th percentile of some durations, in milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True, kw_only=True)
class TokenCounts:
    """The tokens of all requests: in prompts, found in the cache, and generated.

    ``slow_causes`` is why prompts were read anew in the slowest twentieth of the requests that the
    model answered: shares, the largest first.
    """

    prompt: int = 0
    reused: int = 0
    new: int = 0
    slow_causes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ReplayMetrics:
    """The metrics of a replay, under the names that ``summary.json`` gives them.

    Shares lie between 0 and 1. What cannot be known, such as a share of nothing, is None.

    Attributes:
        files: How many files were typed in.
        keys: How many keys were pressed.
        characters: How many characters were to be written.
        minutes: How long the sessions took.
        requests: How many requests were answered.
        answered_in_time: How many were answered before the text changed again.
        latency_ms: From a change to its answer.
        cancellation_ms: From a newer change to the end of the older request.
        latency_shown_ms: From a change to its answer, if that was shown.
        keys_with_ghost: The share of keys that were pressed while a suggestion was visible.
        suggestions: How many different suggestions were shown.
        precision_of_suggestions: The share of those with a correct first line, or the correct
            beginning of one up to the end of a word.
        whole_lines: The share of those whose first line is all that was to be written in the line.
        precision_of_shown: The same, counting a suggestion each time it was shown.
        accepted: How many suggestions were accepted.
        characters_saved: The share of characters that suggestions wrote.
        cpu_s_per_minute: The server's CPU time per minute of typing.
        faults: What the server should not have done, one sentence each.
        stale_answers: How many answers were for a text that the server knew to be outdated.
        prompt_tokens: How many tokens all prompts have.
        tokens_reused: The share of these that the cache already held.
        new_tokens: How many tokens were generated.
        slow_twentieth: Why prompts were read anew in the slowest twentieth of the requests: shares.
    """

    files: int
    keys: int
    characters: int
    minutes: float
    requests: int
    answered_in_time: int
    latency_ms: Percentiles | None
    cancellation_ms: Percentiles | None
    latency_shown_ms: Percentiles | None
    keys_with_ghost: float | None
    suggestions: int
    precision_of_suggestions: float | None
    whole_lines: float | None
    precision_of_shown: float | None
    accepted: int
    characters_saved: float | None
    cpu_s_per_minute: float | None
    faults: Sequence[str]
    stale_answers: int
    prompt_tokens: int
    tokens_reused: float | None
    new_tokens: int
    slow_twentieth: Mapping[str, float]


def count_tokens(server_events: Iterable[Mapping[str, Any]]) -> TokenCounts:
    """Adds up the tokens in the records of the server's event log.

    Raises:
        TypeError: A number of tokens is none.
    """
    prompt = reused = new = 0
    costs: list[tuple[float, str]] = []
    for event in server_events:
        if get_optional_field(event, "prompt_tokens", int):
            cause = get_optional_field(event, "reread", str) or NOT_READ_ANEW
            costs.append((get_optional_field(event, "total_ms", float) or 0.0, cause))
        prompt += get_optional_field(event, "prompt_tokens", int) or 0
        reused += get_optional_field(event, "reused_tokens", int) or 0
        new += get_optional_field(event, "new_tokens", int) or 0
    return TokenCounts(prompt=prompt, reused=reused, new=new, slow_causes=_slow_causes(costs))


def _slow_causes(costs: Sequence[tuple[float, str]]) -> dict[str, float]:
    """Returns the shares of the causes among the slowest twentieth of times with causes."""
    slowest = sorted(costs, reverse=True)[: -(-len(costs) // 20)]
    counts = Counter(cause for _, cause in slowest)
    return {cause: round(n / len(slowest), 4) for cause, n in counts.most_common()}


def measure_sessions(
    records: Sequence[SessionRecord],
    tokens: TokenCounts,
    *,
    cpu_s: float | None,
) -> ReplayMetrics:
    """Returns the metrics of a replay.

    Args:
        records: The records of all sessions.
        tokens: The tokens of all requests.
        cpu_s: The server's CPU time during the sessions; None if it is unknown.
    """
    events = [event for record in records for event in record.events]
    keys = [e for e in events if isinstance(e, KeyPressed)]
    answers = [e for e in events if isinstance(e, AnswerReceived)]
    in_time_ms = [e.latency_ms for e in answers if e.late_ms is None]
    shown = [e for e in events if isinstance(e, SuggestionShown) and e.is_on_way]
    new = [e for e in shown if e.is_new]
    accepted = [e for e in events if isinstance(e, SuggestionAccepted)]
    saved = sum(len(e.text) - 1 for e in accepted)  # accepting costs a key
    written = sum(len(record.task.target) for record in records)
    minutes = sum(record.events[-1].at_s for record in records if record.events) / 60
    return ReplayMetrics(
        files=len(records),
        keys=len(keys),
        characters=written,
        minutes=round(minutes, 2),
        requests=len(answers),
        answered_in_time=len(in_time_ms),
        latency_ms=_percentiles(in_time_ms),
        cancellation_ms=_percentiles([e.late_ms for e in answers if e.late_ms is not None]),
        latency_shown_ms=_percentiles(_shown_latencies_ms(records)),
        keys_with_ghost=_share(sum(e.ghost is not None for e in keys), len(keys)),
        suggestions=len(new),
        precision_of_suggestions=_share(sum(e.is_right for e in new), len(new)),
        whole_lines=_share(sum(e.is_whole_line for e in new), len(new)),
        precision_of_shown=_share(sum(e.is_right for e in shown), len(shown)),
        accepted=len(accepted),
        characters_saved=_share(saved, written),
        cpu_s_per_minute=None if cpu_s is None or not minutes else round(cpu_s / minutes, 2),
        faults=sorted(fault for record in records for fault in record.faults),
        stale_answers=sum(f == STALE_ANSWER for record in records for f in record.faults),
        prompt_tokens=tokens.prompt,
        tokens_reused=_share(tokens.reused, tokens.prompt),
        new_tokens=tokens.new,
        slow_twentieth=tokens.slow_causes,
    )


def _shown_latencies_ms(records: Sequence[SessionRecord]) -> list[float]:
    """Returns the latency of each answer that was shown."""
    pairs: Iterable[tuple[SessionEvent, SessionEvent]] = itertools.chain.from_iterable(
        itertools.pairwise(record.events) for record in records
    )
    return [
        before.latency_ms
        for before, event in pairs
        if isinstance(event, SuggestionShown) and isinstance(before, AnswerReceived)
    ]


def _percentiles(values_ms: Sequence[float]) -> Percentiles | None:
    if len(values_ms) < 2:  # noqa: PLR2004 - quantiles need two
        return None
    twentieths = statistics.quantiles(values_ms, n=20, method="inclusive")
    return Percentiles(
        p50=round(statistics.median(values_ms), _MS_DIGITS),
        p95=round(twentieths[-1], _MS_DIGITS),
    )


def _share(part: int, whole: int) -> float | None:
    return None if whole == 0 else round(part / whole, 4)
