"""What the engine is asked to generate and what it returns: plain data, without torch.

A back end lays a window out as a :class:`Prompt`; the completer states the rest in one
:class:`GenerationRequest` that reaches the decoder unchanged. Remote servers answer with the same
:class:`GenerationResult`.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen; a temperature of 0 is greedy, whatever the rest says."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:  # noqa: PLR2004 - above it, all tokens are alike
            raise ValueError(f"temperature must be between 0 and 100, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be greater than 0 and at most 1, got {self.top_p}")

    def generator(self, sequence: int) -> random.Random:
        """Returns the random generator of one sequence, so that 3 of 5 equals 3 of 50."""
        return random.Random(f"{self.seed}/{sequence}")


GREEDY = Sampling()


class FinishReason(StrEnum):
    """Why a sequence ended."""

    END_OF_TEXT = "end of text"  # the model ended it
    COMPLETE = "finished"  # is_complete returned True
    MAX_TOKENS = "max tokens"
    LOW_CONFIDENCE = "not sure enough"  # is_hopeless returned True
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What the model reads.

    Attributes:
        ids: Token ids: at least one, fewer than the model has positions.
        required_bytes: What the output must begin with: the tokens that token healing removed from
            the prompt's end. They are not part of the result.
        lookup_ids: Ids of other texts that the output may repeat, the likeliest first.
        n_head: How many ids come first that depend on the text after the cursor.
        n_context: How many ids of other files follow them.
    """

    ids: Sequence[int]
    required_bytes: bytes = b""
    lookup_ids: Sequence[Sequence[int]] = ()
    n_head: int = 0
    n_context: int = 0


class RereadReason(StrEnum):
    """Why much of a prompt was not in a cache."""

    NOTHING_READ = "nothing was read before"
    NOT_FINISHED = "reading it was interrupted"
    OTHER_PLACE = "other document or place"
    SUFFIX_CHANGED = "text after the cursor changed"
    CONTEXT_CHANGED = "text from other files changed"
    WINDOW_MOVED = "visible text moved"
    TEXT_CHANGED = "text before the cursor changed"


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """What to generate after a prompt.

    Attributes:
        max_new_tokens: Per sequence; tokens that only repeat required bytes do not count.
        n_sequences: How many continuations.
        first_sequence: The number of the first one, which selects its random generator.
        sampling: How each token is chosen.
        is_complete: Receives the bytes generated so far; True ends the sequence.
        is_hopeless: Receives the sequence so far; True ends it, because it would not be shown.
        should_stop: Checked before each step; True cancels the generation.
    """

    max_new_tokens: int
    n_sequences: int = 1
    first_sequence: int = 0
    sampling: Sampling = GREEDY
    is_complete: Callable[[bytes], bool] | None = None
    is_hopeless: "Callable[[GeneratedSequence], bool] | None" = None
    should_stop: Callable[[], bool] | None = None


@dataclass(kw_only=True)
class GeneratedSequence:
    """One continuation; it grows while it is generated.

    Attributes:
        ids: Its tokens; empty if a remote server generated them.
        text: Their bytes, without the required ones.
        ends: For each token, the length of ``text`` up to and including it.
        log_probs: Of each token, in nats, among the tokens that were allowed.
        gains: By how many nats a memory made each token likelier; empty without a memory.
        finish_reason: None while it is running.
    """

    ids: list[int] = field(default_factory=list)
    text: bytes = b""
    ends: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None


@dataclass(kw_only=True)
class TokenUsage:
    """What a generation cost; counted while it runs.

    ``reused_tokens`` of the prompt came from the cache, ``computed_tokens`` did not; ``reread`` is
    the reason if these are many. ``steps`` are forward passes after the prompt, in which
    ``guessed_tokens`` were verified.
    """

    prompt_tokens: int = 0
    reused_tokens: int = 0
    computed_tokens: int = 0
    new_tokens: int = 0
    steps: int = 0
    guessed_tokens: int = 0
    first_token_ms: float | None = None
    reread: RereadReason | None = None

    def count_new(self, n_tokens: int, started: float) -> None:
        """Counts tokens that were generated.

        Args:
            n_tokens: How many.
            started: When work on the request began, by ``time.perf_counter()``.
        """
        self.new_tokens += n_tokens
        if self.first_token_ms is None:
            self.first_token_ms = 1000 * (time.perf_counter() - started)


@dataclass(frozen=True, kw_only=True)
class GenerationResult:
    """The sequences that were generated, and what they cost.

    ``known_from`` is the file of the workspace that made the first sequence likely; None for none.
    """

    sequences: list[GeneratedSequence]
    usage: TokenUsage
    known_from: str | None = None
