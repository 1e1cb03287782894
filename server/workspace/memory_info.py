"""What is known of a workspace, in figures: plain data, without the libraries that find it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MemoryInfo:
    """What a memory knows, for people who ask.

    Attributes:
        files: How many files are indexed.
        files_left_out: How many did not fit.
        documents: How many open documents are known as they are now.
        tokens: Of all of them.
        age_s: How old the index is; None if there is none.
    """

    files: int
    files_left_out: int
    documents: int
    tokens: int
    age_s: float | None
