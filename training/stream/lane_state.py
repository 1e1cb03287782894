"""What a lane needs to go on: its position, and the little that it carries from before it.

The states of all lanes are one file of a checkpoint, :data:`POSITION_FILE`. Nothing is pickled.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from training.foundation.config_schema import from_mapping
from training.foundation.errors import ConfigError, PrerequisiteError
from training.shards.blocks import PIECE_DTYPE
from training.shards.carry_over import PackedTokens
from training.stream.document_reader import LanePosition

_FACTS = "lanes"
Array = npt.NDArray[Any]


def _pack_nothing() -> PackedTokens:
    return PackedTokens(tokens=np.zeros(0, np.uint32), pieces=np.zeros(0, PIECE_DTYPE))


@dataclass(frozen=True, kw_only=True)
class LaneFacts:
    """The part of a state that is not arrays.

    Attributes:
        lane: The number of the lane.
        position: Where it reads on.
        window: The number of the next window.
        first_block: The number of that window's first block, among the lane's.
        n_documents: How many documents it has read; their numbers in the order of reading.
        waiting: The documents of pieces that are in no block yet, by number.
        drops: Dropped documents by reason, since the start of the run.
    """

    lane: int
    position: LanePosition = field(default_factory=LanePosition)
    window: int = 0
    first_block: int = 0
    n_documents: int = 0
    waiting: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drops: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class LaneState:
    """The state of a lane before a window.

    Attributes:
        facts: What is not arrays.
        carried: The pieces that are in no block yet.
        seen: Hashes of the last documents, oldest first.
    """

    facts: LaneFacts
    carried: PackedTokens = field(default_factory=_pack_nothing)
    seen: Array = field(default_factory=lambda: np.zeros(0, np.uint64))


def start_state(lane: int) -> LaneState:
    """Returns the state of a lane before its first window."""
    return LaneState(facts=LaneFacts(lane=lane))


def dump_states(states: Iterable[LaneState]) -> bytes:
    """Returns the states as the content of a file."""
    arrays: dict[str, Array] = {}
    facts = []
    for state in states:
        facts.append(dataclasses.asdict(state.facts))
        name = str(state.facts.lane)
        pieces = state.carried.pieces
        arrays |= {
            f"{name}.tokens": state.carried.tokens.astype(np.uint32),
            f"{name}.seen": state.seen,
            **{
                f"{name}.{key}": np.ascontiguousarray(pieces[key])
                for key in PIECE_DTYPE.names or ()
            },
        }
    text = json.dumps(facts, sort_keys=True).encode()
    return bytes(save({**arrays, _FACTS: np.frombuffer(text, np.uint8)}))


def load_states(content: bytes) -> dict[int, LaneState]:
    """Returns the states of a file by lane.

    Raises:
        PrerequisiteError: It is damaged.
    """
    try:
        arrays = load(content)
        found = {}
        for values in json.loads(arrays[_FACTS].tobytes()):
            facts = from_mapping(LaneFacts, values, where="the position")
            name = str(facts.lane)
            pieces = np.zeros(len(arrays[f"{name}.document"]), PIECE_DTYPE)
            for key in PIECE_DTYPE.names or ():
                pieces[key] = arrays[f"{name}.{key}"]
            found[facts.lane] = LaneState(
                facts=facts,
                carried=PackedTokens(tokens=arrays[f"{name}.tokens"], pieces=pieces),
                seen=arrays[f"{name}.seen"],
            )
    except (SafetensorError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise PrerequisiteError(
            f"the checkpoint's position in the stream is damaged ({error}); remove this checkpoint"
            " to resume from the one before it"
        ) from error
    return found
