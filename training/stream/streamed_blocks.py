"""The blocks of a stream in the order of the steps, as the training loop reads them.

The counterpart of ``BlockReader``: the same order whatever the number of processes, but it only
goes forward. Each process reads the lanes of its own part of a step; where two processes share a
lane, both make it.
"""

import dataclasses
import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.config import StreamConfig
from training.foundation.errors import ConfigError, PrerequisiteError
from training.shards.blocks import Blocks, lay_out_blocks
from training.shards.shards_meta import ShardsMeta
from training.stream.document_log import DocumentLog, pack_dump, tabulate_window, unpack_dump
from training.stream.lane import StreamPlan, Window
from training.stream.lane_order import locate_block
from training.stream.lane_state import LaneState, dump_states, load_states, start_state
from training.stream.lane_worker import WindowSource

POSITION_FILE = "data_position.safetensors"
KEPT_STEPS = 3  # whose positions are known; a thread reads ahead of the loop


@dataclass(frozen=True, kw_only=True)
class StepShare:
    """Which blocks of each step a process reads.

    Attributes:
        batch_blocks: Blocks of a step, of all processes.
        index: The process.
        n_processes: How many there are.
    """

    batch_blocks: int
    index: int
    n_processes: int

    def list_lanes(self, n_lanes: int) -> list[int]:
        """Returns the lanes that this process reads."""
        n_blocks = self.batch_blocks // self.n_processes
        places = range(self.index * n_blocks, (self.index + 1) * n_blocks)
        found = (
            locate_block(place, batch_blocks=self.batch_blocks, n_lanes=n_lanes) for place in places
        )
        return sorted({lane for lane, _ in found})

    def list_owned(self, n_lanes: int) -> list[int]:
        """Returns the lanes whose first block of a step this process reads."""
        lanes = self.list_lanes(n_lanes)
        first = self.index * (self.batch_blocks // self.n_processes)
        per_lane = self.batch_blocks // n_lanes
        return [lane for lane in lanes if lane * per_lane >= first]


class _LaneWindows:
    """The windows of one lane that were read last, and those that wait."""

    def __init__(self, state: LaneState) -> None:
        self.states = deque([state])  # before each window begun, and behind the last
        self.windows: deque[Window] = deque()

    def find_state(self, block: int) -> LaneState:
        """Returns the state from which a run goes on at a block of the lane."""
        fitting = [state for state in self.states if state.facts.first_block <= block]
        assert fitting, "the loop asks for the newest steps only"
        return fitting[-1]

    def forget(self, block: int) -> None:
        """Forgets the states before that of a block."""
        while len(self.states) > 1 and self.states[1].facts.first_block <= block:
            self.states.popleft()


class StreamedBlocks:
    """Reads a stream's blocks forward.

    Args:
        plan: The stream.
        share: This process' part of each step.
        meta: Where the blocks come from.
        settings: How far workers read ahead, and how many.
        log: Where it is recorded which documents were read; of the main process.
    """

    def __init__(
        self,
        plan: StreamPlan,
        share: StepShare,
        *,
        meta: ShardsMeta,
        settings: StreamConfig,
        log: DocumentLog,
    ) -> None:
        self.meta = meta
        self.block_tokens = meta.block_tokens
        self._plan = plan
        self._share = share
        self._settings = settings
        self._log = log
        self._lock = threading.Lock()  # the loop saves a position while a thread reads ahead
        self._pending: list[tuple[int, pa.Table]] = []  # first block of a window, and its rows
        self._start({lane: start_state(lane) for lane in range(plan.n_lanes)}, step=0)

    def _start(self, states: Mapping[int, LaneState], *, step: int) -> None:
        lanes = self._share.list_lanes(self._plan.n_lanes)
        self._logged_from = self._blocks_of_lane(step)
        self._lanes = {lane: _LaneWindows(states[lane]) for lane in lanes}
        self._source: WindowSource | None = None
        self._begin = {lane: states[lane] for lane in lanes}

    def _blocks_of_lane(self, step: int) -> int:
        return step * self._share.batch_blocks // self._plan.n_lanes

    def read_batch(self, position: int, n_blocks: int, *, seed: int) -> Blocks:
        """Returns ``n_blocks`` blocks from a position of the endless order.

        Args:
            position: Must not be before one that was read.
            n_blocks: How many.
            seed: That of the plan.

        Raises:
            CorpusError: The files cannot be read, or hold no document.
        """
        assert seed == self._plan.seed, "the order is that of the plan"
        with self._lock:
            rows = [self._read_block(position + i) for i in range(n_blocks)]
        ids = np.stack([ids for ids, _, _ in rows]).astype(np.int64)
        return lay_out_blocks(ids, [(records, begins) for _, records, begins in rows])

    def list_packages(self) -> Collection[tuple[str, str, str]]:
        """Returns name, version and licence of what was read up to the last saved position."""
        return self._log.packages

    def count_licences(self) -> Counter[str]:
        """Returns how many of the documents that were read each licence has."""
        return self._log.licences

    def dump_position(self, step: int) -> bytes:
        """Returns where this process' own lanes are after a step, and what they have read.

        Documents are returned once, with the first step after their window has begun.
        """
        block = self._blocks_of_lane(step)
        owned = self._share.list_owned(self._plan.n_lanes)
        with self._lock:
            states = [self._lanes[lane].find_state(block) for lane in owned]
            begun = [table for first, table in self._pending if first < block]
            self._pending = [(first, table) for first, table in self._pending if first >= block]
        return pack_dump(dump_states(states), begun)

    def save_position(self, folder: Path, step: int, dumps: Sequence[bytes]) -> None:
        """Writes the position of all processes to a checkpoint's folder, in the main process.

        Raises:
            OSError: It cannot be written.
        """
        states: dict[int, LaneState] = {}
        tables = []
        for dump in dumps:
            content, table = unpack_dump(dump)
            states |= load_states(content)
            tables.append(table)
        self._log.write(step, tables)
        self.meta = dataclasses.replace(self.meta, has_quality=self._log.has_quality)
        self._log.write_summary(step, [states[lane].facts for lane in sorted(states)])
        folder.mkdir(parents=True, exist_ok=True)
        content = dump_states(states[lane] for lane in sorted(states))
        (folder / POSITION_FILE).write_bytes(content)

    def load_position(self, checkpoint: Path, step: int) -> None:
        """Goes to the position of a checkpoint.

        Raises:
            PrerequisiteError: The checkpoint has none, or it is damaged.
        """
        try:
            states = load_states((checkpoint / POSITION_FILE).read_bytes())
        except OSError as error:
            raise PrerequisiteError(
                f"{checkpoint} has no position in the stream ({POSITION_FILE} cannot be read:"
                f" {error.strerror}); copy the checkpoint again"
            ) from error
        if sorted(states) != list(range(self._plan.n_lanes)):
            raise ConfigError(
                f"{checkpoint} was streamed in {len(states)} lanes, but the config has"
                f" {self._plan.n_lanes}; restore stream.lanes, or choose another paths.run"
            )
        if self._share.index == 0:
            self._log.go_back_to(step)
        self._start(states, step=step)

    def import_record(self, checkpoint: Path, step: int) -> None:
        """Takes over what another run has read, up to a checkpoint of it.

        Raises:
            PrerequisiteError: It is not known.
        """
        self._log.import_from(checkpoint, step)

    def close(self) -> None:
        """Ends the workers."""
        if self._source is not None:
            self._source.close()

    def _read_block(self, position: int) -> tuple[Any, Any, npt.NDArray[np.int64]]:
        lane, block = locate_block(
            position, batch_blocks=self._share.batch_blocks, n_lanes=self._plan.n_lanes
        )
        window = self._find_window(lane, block)
        row, n_tokens = block - window.first_block, self.block_tokens
        edges = [row * n_tokens, (row + 1) * n_tokens]
        first, end = np.searchsorted(window.pieces["first_token"], edges)
        records = window.pieces[first:end]
        return window.tokens[row], records, records["first_token"] - row * n_tokens

    def _find_window(self, lane: int, block: int) -> Window:
        """Returns the window of a block; those before it are let go, but for their states."""
        of_lane = self._lanes[lane]
        while True:
            for window in of_lane.windows:
                if window.first_block <= block < window.after.facts.first_block:
                    while of_lane.windows[0] is not window:
                        of_lane.windows.popleft()
                    self._begin_window(lane, window, block)
                    return window
            self._receive(lane)

    def _receive(self, lane: int) -> None:
        if self._source is None:
            self._source = WindowSource(
                self._plan,
                self._begin,
                n_workers=self._settings.workers,
                n_ahead=self._settings.read_ahead_windows,
            )
        window = self._source.take(lane)
        self._lanes[window.before.facts.lane].windows.append(window)

    def _begin_window(self, lane: int, window: Window, block: int) -> None:
        """Notes the first time a window is read."""
        states = self._lanes[lane].states
        if states[-1].facts.window > window.before.facts.window:
            return
        states.append(window.after)
        self._lanes[lane].forget(block - self._blocks_of_lane(KEPT_STEPS))
        is_owner = lane in self._share.list_owned(self._plan.n_lanes)
        if is_owner and window.first_block >= self._logged_from:
            self._pending.append((window.first_block, tabulate_window(window)))
