"""Messages on a pipe: JSON, preceded by its length in four bytes.

Both ends are our own code, yet every frame has a maximum length: a torn stream must not make its
reader allocate all memory.
"""

import dataclasses
import json
import struct
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import IO, Any, get_args, get_origin

from server.worker.messages import Message

MAX_BYTES = 64 << 20
_LENGTH = struct.Struct(">I")
_TYPES = {message_type.kind: message_type for message_type in get_args(Message)}


class BrokenStreamError(Exception):
    """The other end is gone, or what it sends cannot be understood."""


def write_message(stream: IO[bytes], message: Message) -> None:
    """Writes one message.

    Raises:
        BrokenStreamError: The other end is gone, or the message is too long.
    """
    frame = {"kind": message.kind, "fields": message}
    data = json.dumps(frame, default=_to_plain).encode("ascii")  # keeps lone surrogates, escaped
    if len(data) > MAX_BYTES:
        raise BrokenStreamError(f"a message of {len(data)} bytes is too long")
    try:
        stream.write(_LENGTH.pack(len(data)) + data)
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: closed at this end
        raise BrokenStreamError(str(error)) from error


def read_message(stream: IO[bytes]) -> Message | None:
    """Reads one message; None at the end of the stream.

    Raises:
        BrokenStreamError: The stream ends within a message, or does not hold one.
    """
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    n_bytes = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else MAX_BYTES + 1
    if n_bytes > MAX_BYTES:
        raise BrokenStreamError("invalid message length")
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise BrokenStreamError("the stream ended within a message")
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BrokenStreamError("not valid JSON") from error
    try:
        message: Message = _decoder(_TYPES[frame["kind"]])(frame["fields"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenStreamError(f"not a valid message ({type(error).__name__})") from error
    return message


def _to_plain(value: Any) -> Any:
    """Returns one level of what JSON lacks as what it has."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"a message cannot hold {type(value).__name__}")


@cache
def _decoder(hint: Any) -> Callable[[Any], Any]:
    """Returns the function that builds a value of an annotated type from JSON."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _dataclass_decoder(typing.cast("type[Any]", hint))
    if origin in {typing.Union, types.UnionType}:
        (inner,) = (_decoder(one) for one in arguments if one is not types.NoneType)
        return lambda value: None if value is None else inner(value)
    if origin in {tuple, frozenset}:
        item = _decoder(arguments[0])
        return lambda values: origin(map(item, values))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return lambda value: value


def _dataclass_decoder(cls: type[Any]) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(cls)
    decoders = {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(cls)}
    return lambda values: cls(**{name: decoders[name](value) for name, value in values.items()})
