"""How other models want infilling (FIM) laid out: the one table, for the server and evaluation.

A wrong sentinel is ordinary text to a model: nothing fails, the suggestions are just worse. So the
template is chosen by the sentinels that the model's own tokenizer has, never by its name. Our own
artifacts state their layout themselves (:mod:`training.artifact.fim`).

Source: the model cards of CodeGemma, Qwen2.5-Coder (``<|fim_prefix|>``), StarCoder, StarCoder2,
Granite Code (``<fim_prefix>``), SantaCoder (``<fim-prefix>``: "and not ``<fim_prefix>``"),
DeepSeek-Coder, Code Llama (``<PRE> {prefix} <SUF>{suffix} <MID>``) and Codestral (suffix first, no
sentinel for the middle).
"""

import json
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.foundation.errors import ArtifactError

_MAX_BYTES = 64 << 20
_ENDS = {
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<EOT>",
    "▁<EOT>",
    "<|file_sep|>",
    "<|file_separator|>",  # CodeGemma ends a middle with it
    "<｜end▁of▁sentence｜>",  # noqa: RUF001 - DeepSeek's spelling
}


@dataclass(frozen=True, kw_only=True)
class FimTemplate:
    """A family's layout.

    Attributes:
        prefix_token: As the vocabulary spells it; so are the others.
        suffix_token: Opens the suffix.
        middle_token: Opens the middle; None if the prefix comes last and needs none.
        text: The prompt as text, with ``{prefix}`` and ``{suffix}``.
        ends: Special tokens that end what is generated.
    """

    prefix_token: str
    suffix_token: str
    middle_token: str | None
    text: str
    ends: tuple[str, ...] = ()

    @property
    def sentinels(self) -> tuple[str, ...]:
        """The tokens that a vocabulary must have for this template."""
        tokens = (self.prefix_token, self.suffix_token, self.middle_token)
        return tuple(token for token in tokens if token is not None)

    def format_prompt(self, prefix: str, suffix: str) -> str:
        """Returns the prompt as text, which the model's tokenizer turns into ids."""
        return self.text.format(prefix=prefix, suffix=suffix)

    def order_parts(self, prefix: list[int], suffix: list[int], ids: dict[str, int]) -> list[int]:
        """Returns the prompt as ids.

        Args:
            prefix: The prefix's ids.
            suffix: The suffix's ids.
            ids: The id of each sentinel.
        """
        if self.middle_token is None:
            return [ids[self.suffix_token], *suffix, ids[self.prefix_token], *prefix]
        opening, between = ids[self.prefix_token], ids[self.suffix_token]
        return [opening, *prefix, between, *suffix, ids[self.middle_token]]


def _template(prefix: str, suffix: str, middle: str) -> FimTemplate:
    return FimTemplate(
        prefix_token=prefix,
        suffix_token=suffix,
        middle_token=middle,
        text=f"{prefix}{{prefix}}{suffix}{{suffix}}{middle}",
    )


TEMPLATES: tuple[FimTemplate, ...] = (
    _template("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    _template("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    _template("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    _template("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001 - their spelling
    FimTemplate(  # SentencePiece spells a space as "▁" and adds one at the beginning by itself
        prefix_token="▁<PRE>",  # noqa: S106 - not a password
        suffix_token="▁<SUF>",  # noqa: S106
        middle_token="▁<MID>",  # noqa: S106
        text="<PRE> {prefix} <SUF>{suffix} <MID>",
    ),
    FimTemplate(
        prefix_token="<PRE>",  # noqa: S106
        suffix_token="<SUF>",  # noqa: S106
        middle_token="<MID>",  # noqa: S106
        text="<PRE> {prefix} <SUF>{suffix} <MID>",
    ),
    FimTemplate(
        prefix_token="[PREFIX]",  # noqa: S106
        suffix_token="[SUFFIX]",  # noqa: S106
        middle_token=None,
        text="[SUFFIX]{suffix}[PREFIX]{prefix}",
    ),
)


def find_template(vocabulary: Container[str]) -> FimTemplate | None:
    """Returns the template whose sentinels a vocabulary has, None if it has none's."""
    for template in TEMPLATES:
        if all(token in vocabulary for token in template.sentinels):
            return template
    return None


def read_template(folder: Path) -> FimTemplate | None:
    """Returns the template for the tokenizer in a folder, None if it declares no sentinels.

    Raises:
        ArtifactError: There is no ``tokenizer.json``, or it cannot be read.
    """
    special = _read_special_tokens(folder)
    template = find_template(special)
    return None if template is None else replace(template, ends=tuple(sorted(special & _ENDS)))


def _read_special_tokens(folder: Path) -> set[str]:
    tokenizer = _read_json(folder / "tokenizer.json")
    found = {
        token["content"]
        for token in tokenizer.get("added_tokens") or []
        if isinstance(token, dict) and isinstance(token.get("content"), str)
    }
    vocabulary = (tokenizer.get("model") or {}).get("vocab")
    if isinstance(vocabulary, dict):  # Code Llama has its sentinels among the ordinary tokens
        found |= {token for t in TEMPLATES for token in t.sentinels if token in vocabulary}
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
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
