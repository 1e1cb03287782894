"""The settings as data, for the editors' settings pages and for ``parrotlet settings``."""

import dataclasses
import typing
from typing import Any

from server.settings import Settings
from training.foundation.config_schema import find_range, to_mapping

_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SettingSchema:
    """One setting.

    Attributes:
        name: With the names of its groups before it, separated by dots.
        type: Of its value in JSON.
        default: As JSON.
        choices: The values it may have; None for any value of its type.
        choice_texts: For each of the choices, what it does; None where there are none.
        minimum: The least value of a number.
        maximum: Its largest.
        text: What it does.
    """

    name: str
    type: str
    default: Any
    choices: tuple[str, ...] | None
    choice_texts: tuple[str, ...] | None
    minimum: float | None
    maximum: float | None
    text: str


def list_settings(group: type = Settings, prefix: str = "") -> list[SettingSchema]:
    """Returns every setting of a group, in the order in which they are defined."""
    listed = []
    hints = typing.get_type_hints(group)
    for field in dataclasses.fields(group):
        if dataclasses.is_dataclass(hints[field.name]):
            listed += list_settings(hints[field.name], f"{prefix}{field.name}.")
        else:
            listed.append(_schema_of(field, hints[field.name], prefix))
    return listed


def _schema_of(field: dataclasses.Field[Any], hint: Any, prefix: str) -> SettingSchema:
    is_choice = typing.get_origin(hint) is typing.Literal
    is_list = typing.get_origin(hint) is tuple
    choices = typing.get_args(hint) if is_choice else None
    texts, allowed = field.metadata["choices"], find_range(field)
    return SettingSchema(
        name=prefix + field.name,
        type="array" if is_list else "string" if is_choice else _JSON_TYPES[hint],
        default=to_mapping(field.default),
        choices=choices,
        choice_texts=tuple(texts[choice] for choice in choices) if choices else None,
        minimum=None if allowed is None else allowed.least,
        maximum=None if allowed is None else allowed.most,
        text=field.metadata["text"],
    )
