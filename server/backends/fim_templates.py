"""How a model elsewhere wants infilling laid out: read from its own tokenizer's files.

A client that chooses the sentinels gets them wrong sooner or later, and nobody notices but for
worse suggestions. So they are looked for among the special tokens that the tokenizer declares.

Source: the model cards of SantaCoder and StarCoder, Code Llama, DeepSeek-Coder, CodeGemma,
Qwen2.5-Coder, Granite and Codestral for the spellings and the order.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.foundation.errors import ArtifactError

_FAMILIES = (  # prefix, suffix, middle; the middle stands last
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001 - so they are spelled
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),
    ("<PRE>", "<SUF>", "<MID>"),
)
_SUFFIX_FIRST = ("[PREFIX]", "[SUFFIX]")  # Codestral's: [SUFFIX]suffix[PREFIX]prefix
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Template:
    """The texts around prefix and suffix, and the special tokens that end what is written."""

    opening: str
    between: str
    closing: str
    is_suffix_first: bool = False
    ends: tuple[str, ...] = ()

    def prompt(self, prefix: str, suffix: str) -> str:
        """Lays a prompt out."""
        first, second = (suffix, prefix) if self.is_suffix_first else (prefix, suffix)
        return f"{self.opening}{first}{self.between}{second}{self.closing}"


def template_of(folder: Path) -> Template | None:
    """Reads a tokenizer's files; None if it declares no sentinels.

    Raises:
        ArtifactError: There are no such files, or they cannot be read.
    """
    special = _special_tokens(folder)
    ends = tuple(sorted(token for token in special if _is_end(token)))
    for prefix, suffix, middle in _FAMILIES:
        if {prefix, suffix, middle} <= special:
            spelled = [token.replace("▁<", " <") for token in (prefix, suffix, middle)]
            return Template(opening=spelled[0], between=spelled[1], closing=spelled[2], ends=ends)
    if set(_SUFFIX_FIRST) <= special:
        return Template(
            opening=_SUFFIX_FIRST[1],
            between=_SUFFIX_FIRST[0],
            closing="",
            is_suffix_first=True,
            ends=ends,
        )
    return None


def _special_tokens(folder: Path) -> set[str]:
    found: set[str] = set()
    tokenizer = _json(folder / "tokenizer.json")
    for token in tokenizer.get("added_tokens") or []:
        if isinstance(token, dict) and isinstance(token.get("content"), str):
            found.add(token["content"])
    vocabulary = (tokenizer.get("model") or {}).get("vocab")
    if isinstance(vocabulary, dict):  # Code Llama keeps its sentinels among the ordinary ones
        found |= {token for family in _FAMILIES for token in family if token in vocabulary}
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ArtifactError(
                f"{path} is too large for a tokenizer; set remote.tokenizer to the model's folder"
            )
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(
            f"cannot read {path} ({error.strerror}); set remote.tokenizer to the folder with the"
            " model's tokenizer.json"
        ) from error
    except ValueError as error:
        raise ArtifactError(
            f"{path} is not valid JSON; download the model's tokenizer again"
        ) from error
    if not isinstance(values, dict):
        raise ArtifactError(
            f"{path} does not contain a tokenizer; download the model's tokenizer again"
        )
    return values


def _is_end(token: str) -> bool:
    return token in {"<|endoftext|>", "</s>", "<EOT>", "▁<EOT>", "<|file_sep|>", "<|end_of_text|>"}
