"""Prompt layouts: how prefix, suffix and middle stand in one token sequence.

This is the only place that knows the order of the sentinels. Training lays out examples with it and
the server lays out prompts with it, so the two cannot differ by a token. Where a document is split,
and how long the parts may be, is the callers' business.

Source: Bavarian et al. 2022, "Efficient Training of Language Models to Fill in the Middle",
arXiv:2207.14255 (PSM and SPM; SPM in its second variant, where prefix and middle are contiguous).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training.artifact.special_tokens import END_OF_TEXT, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX
from training.artifact.tokenizer import CodeTokenizer


@dataclass(frozen=True, kw_only=True)
class FimLayout:
    """The ids of the sentinels, and the two orders they may stand in.

    A middle is written behind the prompt and closed by ``end_of_text_id``. Where a document's
    quality is known, or asked for, ``quality_id`` stands behind the first token of every prompt.
    """

    end_of_text_id: int
    prefix_id: int
    suffix_id: int
    middle_id: int
    quality_id: int | None = None

    @classmethod
    def of(cls, tokenizer: CodeTokenizer, quality: str | None = None) -> "FimLayout":
        """Reads the ids from a tokenizer; ``quality`` is one of its quality tokens, or None.

        Raises:
            ArtifactError: The vocabulary lacks one of the sentinels.
        """
        return cls(
            end_of_text_id=tokenizer.special_id(END_OF_TEXT),
            prefix_id=tokenizer.special_id(FIM_PREFIX),
            suffix_id=tokenizer.special_id(FIM_SUFFIX),
            middle_id=tokenizer.special_id(FIM_MIDDLE),
            quality_id=tokenizer.special_id(quality) if quality else None,
        )

    def left_to_right_prompt(self, prefix: Sequence[int]) -> list[int]:
        """A document's beginning, with nothing known of what follows."""
        return [*self.start, *prefix]

    @property
    def overhead_tokens(self) -> int:
        """What either order adds to its parts."""
        return len(self.start) + 3  # the sentinels

    @property
    def start(self) -> list[int]:
        """What every prompt begins with."""
        return prompt_start_ids(self.end_of_text_id, self.quality_id)

    def spm_prompt(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """Suffix first: what is typed at the cursor only ever extends the end of the prompt."""
        return [*self.spm_head(suffix), *prefix]

    def spm_head(self, suffix: Sequence[int]) -> list[int]:
        """The part of :meth:`spm_prompt` that stands before the prefix."""
        return [*self.start, self.prefix_id, self.suffix_id, *suffix, self.middle_id]

    def psm_prompt(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """Prefix first, then suffix."""
        return [*self.start, self.prefix_id, *prefix, self.suffix_id, *suffix, self.middle_id]


def prompt_start_ids(end_of_text_id: int, quality_id: int | None) -> list[int]:
    """Returns what every sequence begins with, of a model with infilling or without."""
    return [end_of_text_id] if quality_id is None else [end_of_text_id, quality_id]
