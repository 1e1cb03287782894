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

SPM_OVERHEAD_TOKENS = 4  # end of text, and the three sentinels
PSM_OVERHEAD_TOKENS = 4


@dataclass(frozen=True, kw_only=True)
class FimLayout:
    """The ids of the sentinels, and the two orders they may stand in.

    A middle is written behind the prompt and closed by ``end_of_text_id``.
    """

    end_of_text_id: int
    prefix_id: int
    suffix_id: int
    middle_id: int

    @classmethod
    def of(cls, tokenizer: CodeTokenizer) -> "FimLayout":
        """Reads the ids from a tokenizer.

        Raises:
            ArtifactError: The vocabulary lacks one of the sentinels.
        """
        return cls(
            end_of_text_id=tokenizer.special_id(END_OF_TEXT),
            prefix_id=tokenizer.special_id(FIM_PREFIX),
            suffix_id=tokenizer.special_id(FIM_SUFFIX),
            middle_id=tokenizer.special_id(FIM_MIDDLE),
        )

    def left_to_right_prompt(self, prefix: Sequence[int]) -> list[int]:
        """A document's beginning, with nothing known of what follows."""
        return [self.end_of_text_id, *prefix]

    def spm_prompt(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """Suffix first: what is typed at the cursor only ever extends the end of the prompt."""
        return [*self.spm_head(suffix), *prefix]

    def spm_head(self, suffix: Sequence[int]) -> list[int]:
        """The part of :meth:`spm_prompt` that stands before the prefix."""
        return [self.end_of_text_id, self.prefix_id, self.suffix_id, *suffix, self.middle_id]

    def psm_prompt(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """Prefix first, then suffix."""
        return [
            self.end_of_text_id,
            self.prefix_id,
            *prefix,
            self.suffix_id,
            *suffix,
            self.middle_id,
        ]
