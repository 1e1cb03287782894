"""What is asked of whatever writes, and what comes of it: plain data, without torch."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to choose; a temperature of 0 is greedy, whatever the rest says."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:  # noqa: PLR2004 - beyond it nothing but noise
            raise ValueError(f"temperature must be between 0 and 100, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be greater than 0 and at most 1, got {self.top_p}")

    def source(self, sequence: int) -> random.Random:
        """Returns the source of randomness of one sequence."""
        return random.Random(f"{self.seed}/{sequence}")


GREEDY = Sampling()


class Ending(StrEnum):
    """Why a sequence ended."""

    END_OF_TEXT = "end of text"  # the model closed it
    FINISHED = "finished"  # the caller's predicate was met
    MAX_TOKENS = "max tokens"
    HOPELESS = "not sure enough"  # the caller's other predicate was met
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to write.

    Attributes:
        prompt: Ids, at least one, fewer than the model has positions.
        owed: Bytes that the output must begin with; they are not part of the result.
        max_new_tokens: For each sequence; those that only pay back ``owed`` do not count.
        n_sequences: How many continuations.
        first_sequence: The number of the first of them, for its source of randomness.
        sampling: How each token is chosen.
        is_finished: Told the bytes written so far, says whether that is enough.
        is_hopeless: Told what was written so far, says whether nobody will want it.
        should_stop: The stop flag.
        similar: Ids of other texts that what is written may repeat, the likeliest first.
    """

    prompt: Sequence[int]
    owed: bytes = b""
    max_new_tokens: int
    n_sequences: int = 1
    first_sequence: int = 0
    sampling: Sampling = GREEDY
    is_finished: Callable[[bytes], bool] | None = None
    is_hopeless: "Callable[[Written], bool] | None" = None
    should_stop: Callable[[], bool] | None = None
    similar: Sequence[Sequence[int]] = ()


@dataclass(kw_only=True)
class Written:
    """One continuation.

    Attributes:
        ids: Its tokens.
        text: Their bytes behind what was owed.
        ends: For each token, how much of ``text`` there was with it.
        log_probs: Of each token, in nats, given what was still owed.
    """

    ids: list[int] = field(default_factory=list)
    text: bytes = b""
    ends: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    ending: Ending | None = None


@dataclass(kw_only=True)
class Decoding:
    """The outcome of a task and what it took."""

    written: list[Written]
    prompt_tokens: int
    reused_tokens: int
    computed_tokens: int = 0
    new_tokens: int = 0
    steps: int = 0  # of the model, after the prompt
    guessed_tokens: int = 0
    first_token_s: float | None = None
