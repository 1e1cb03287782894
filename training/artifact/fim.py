"""Prompt layouts: the order of prefix, suffix and middle in one token sequence.

This is the only place that knows the order of the sentinels. Training lays out examples with it and
the server lays out prompts with it, so the two cannot differ by a token. Where a document is split,
and how long the parts may be, is up to the callers.

Source: Bavarian et al. 2022, "Efficient Training of Language Models to Fill in the Middle",
arXiv:2207.14255 (PSM and SPM; SPM in its second variant, where prefix and middle are contiguous).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training.artifact.special_tokens import END_OF_TEXT, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX
from training.artifact.tokenizer import CodeTokenizer


@dataclass(frozen=True, kw_only=True)
class FimLayout:
    """The ids of the sentinels, and the two orders in which they occur.

    The middle follows the prompt and ends with ``end_of_text_id``. If a document's quality is
    known, or a certain quality is requested, ``quality_id`` is the second token of every prompt.
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
        """Returns a prompt without a suffix: the beginning of a document."""
        return [*self.start, *prefix]

    @property
    def overhead_tokens(self) -> int:
        """The tokens that either order adds to prefix, suffix and middle."""
        return len(self.start) + 3  # the sentinels

    @property
    def start(self) -> list[int]:
        """The ids that every prompt begins with."""
        return prompt_start_ids(self.end_of_text_id, self.quality_id)

    def spm_prompt(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """Returns the suffix-first prompt: typing at the cursor extends only its end."""
        return [*self.spm_head(suffix), *prefix]

    def spm_head(self, suffix: Sequence[int]) -> list[int]:
        """Returns the part of :meth:`spm_prompt` before the prefix."""
        return [*self.start, self.prefix_id, self.suffix_id, *suffix, self.middle_id]

    def psm_prompt(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """Returns the prefix-first prompt."""
        return [*self.start, self.prefix_id, *prefix, self.suffix_id, *suffix, self.middle_id]

    def restore_order(self, ids: Sequence[int]) -> list[int]:
        """Returns an example in either order as left-to-right text, with the same start."""
        parts: dict[int, list[int]] = {}
        start: list[int] = []
        part = start
        for token in ids:
            if token in {self.prefix_id, self.suffix_id, self.middle_id}:
                part = parts.setdefault(token, [])
            elif part is start or token != self.end_of_text_id:
                part.append(token)
        prefix, suffix, middle = (
            parts.get(token, []) for token in (self.prefix_id, self.suffix_id, self.middle_id)
        )
        return [*start, *prefix, *middle, *suffix]


def prompt_start_ids(end_of_text_id: int, quality_id: int | None) -> list[int]:
    """Returns the ids that every sequence begins with, for models with and without infilling."""
    return [end_of_text_id] if quality_id is None else [end_of_text_id, quality_id]
