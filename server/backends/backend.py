"""What the completer needs of whoever writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from server.engine.generation_request import GREEDY, Decoding, Sampling, Written
from server.prompt.window import Window
from server.suggestion.confidence import Calibration
from training.artifact.code_reference import CodeReference


class WriterAwayError(Exception):
    """Nothing could be written for a reason outside; ``is_new`` if it was found out just now."""

    def __init__(self, sentence: str, *, is_new: bool) -> None:
        super().__init__(sentence)
        self.is_new = is_new


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to write.

    Attributes:
        window: What stands around the cursor.
        max_new_tokens: For each sequence.
        n_sequences: How many continuations.
        first_sequence: The number of the first of them, for its source of randomness.
        similar: Texts that what is written may repeat, the likeliest first.
        sampling: How each token is chosen.
        is_finished: Told the bytes written so far, says whether that is enough.
        is_hopeless: Told what was written so far, says whether nobody will want it.
        should_stop: The stop flag.
    """

    window: Window
    max_new_tokens: int
    n_sequences: int = 1
    first_sequence: int = 0
    similar: Sequence[str] = ()
    sampling: Sampling = GREEDY
    is_finished: Callable[[bytes], bool] | None = None
    is_hopeless: Callable[[Written], bool] | None = None
    should_stop: Callable[[], bool] | None = None


class Writer(Protocol):
    """Continues text; one order at a time, of one thread."""

    @property
    def context_tokens(self) -> int:
        """How many tokens are seen, those that are written included."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """How sure a line is to be right, by its probability."""
        ...

    def about(self) -> dict[str, object]:
        """Returns what writes, by name, as JSON."""
        ...

    def count(self, text: str) -> int:
        """Returns how many tokens a line has."""
        ...

    def room(self, max_new_tokens: int) -> int:
        """Returns how many tokens a window may have that leaves room for so many new ones.

        Raises:
            ArtifactError: There is next to none.
        """
        ...

    def source_of(self, head: str, text: str) -> CodeReference | None:
        """Returns whose text is repeated by ``text`` behind ``head``, the cursor's line so far."""
        ...

    def write(self, order: Order) -> Decoding:
        """Writes behind a window's prefix.

        Raises:
            WriterAwayError: Whoever writes is not here, and cannot be reached.
        """
        ...
