"""The settings as a list, for the editors' settings pages and for ``parrotlet settings``."""

import dataclasses
import typing
from typing import Any

from server.settings import Settings
from training.foundation.config_schema import to_mapping

_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One setting.

    Attributes:
        name: With the names of its groups before it, and dots between.
        type: Of its value in JSON.
        default: As JSON.
        choices: What it may be; None for anything of its type.
        choice_texts: For each of the choices, what it does; None where there are none.
        minimum: Of a number.
        text: What it does.
    """

    name: str
    type: str
    default: Any
    choices: tuple[str, ...] | None
    choice_texts: tuple[str, ...] | None
    minimum: float | None
    text: str


def catalogue(group: type = Settings, prefix: str = "") -> list[Entry]:
    """Returns every setting of a group, in the order in which they are written."""
    entries = []
    hints = typing.get_type_hints(group)
    for one in dataclasses.fields(group):
        if dataclasses.is_dataclass(hints[one.name]):
            entries += catalogue(hints[one.name], f"{prefix}{one.name}.")
        else:
            entries.append(_entry(one, hints[one.name], prefix))
    return entries


def _entry(one: dataclasses.Field[Any], hint: Any, prefix: str) -> Entry:
    is_choice = typing.get_origin(hint) is typing.Literal
    is_list = typing.get_origin(hint) is tuple
    choices = typing.get_args(hint) if is_choice else None
    texts = one.metadata["choices"]
    return Entry(
        name=prefix + one.name,
        type="array" if is_list else "string" if is_choice else _KINDS[hint],
        default=to_mapping(one.default),
        choices=choices,
        choice_texts=tuple(texts[choice] for choice in choices) if choices else None,
        minimum=one.metadata["minimum"],
        text=one.metadata["text"],
    )
