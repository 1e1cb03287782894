"""The special tokens, in the order of their ids.

They have the first ids of every vocabulary, so an id means the same in all of our models. Ordinary
text never encodes to any of them (see :mod:`training.artifact.tokenizer`).
"""

END_OF_TEXT = "<|endoftext|>"
FIM_PREFIX = "<|fim_prefix|>"
FIM_SUFFIX = "<|fim_suffix|>"
FIM_MIDDLE = "<|fim_middle|>"
FIM_PAD = "<|fim_pad|>"
FILE_SEPARATOR = "<|file_sep|>"
QUALITY_TOKENS = ("<|quality:low|>", "<|quality:mid|>", "<|quality:high|>")

N_SPECIAL_TOKENS = 16  # with reserved ones, so that a new special token changes no other id

_NAMED = (
    END_OF_TEXT,
    FIM_PREFIX,
    FIM_SUFFIX,
    FIM_MIDDLE,
    FIM_PAD,
    FILE_SEPARATOR,
    *QUALITY_TOKENS,
)
SPECIAL_TOKENS = (
    *_NAMED,
    *(f"<|reserved:{i}|>" for i in range(N_SPECIAL_TOKENS - len(_NAMED))),
)
