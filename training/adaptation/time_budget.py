"""How the time of an adaptation is divided: what trains, and what measures before and after.

What measures takes shares of the time, as far as it gains by more; the rest trains. Seconds are
those of two cores.
"""

from dataclasses import dataclass

FIXED_S = 70.0  # nine processes import their libraries, and documents are read and packed
MEASURING_SHARE = 0.075  # of the time, each time: lines, while files are typed
MIN_ITEMS, MAX_ITEMS = 10, 300
ITEM_KINDS = 3
ITEM_S = 0.15  # a completion takes
MAX_TYPED_FILES = 8
TYPED_FILE_S = 25.0
SPARE_FILE = 0.4  # of one, by which the measuring may take longer
BITS_SHARE = 0.025  # of the time, each time
MIN_BITS_FILES, MAX_BITS_FILES = 10, 100
BITS_FILE_S = 0.3
GENERAL_SHARE = 0.02  # of the time, for one pass over general code
MIN_GENERAL_BYTES = 120_000
GENERAL_BYTES_PER_S = 20_000.0
GENERAL_PASSES = 3  # one before, and mostly two that choose what is kept
LEAST_TRAINING_SHARE = 0.15


@dataclass(frozen=True)
class TimeBudget:
    """What there is time for.

    Attributes:
        minutes: The time for everything.
        general_bytes: The general code that there is to measure on.
    """

    minutes: float
    general_bytes: int

    @property
    def items(self) -> int:
        """Positions of each kind at which lines are measured."""
        return _fit(MEASURING_SHARE * self._seconds / (ITEM_KINDS * ITEM_S), MIN_ITEMS, MAX_ITEMS)

    @property
    def typed_files(self) -> int:
        """Files to type in; none in a time that hardly suffices for one."""
        wanted = MEASURING_SHARE * self._seconds / TYPED_FILE_S
        return min(MAX_TYPED_FILES, int(wanted + SPARE_FILE))

    @property
    def bits_files(self) -> int:
        """Held-out files whose bits are measured."""
        return _fit(BITS_SHARE * self._seconds / BITS_FILE_S, MIN_BITS_FILES, MAX_BITS_FILES)

    @property
    def measured_bytes(self) -> int:
        """General code to measure what is forgotten on."""
        wanted = GENERAL_SHARE * self._seconds * GENERAL_BYTES_PER_S
        return min(self.general_bytes, max(MIN_GENERAL_BYTES, round(wanted)))

    @property
    def measuring_s(self) -> float:
        """Seconds that measure a model once, without general code."""
        lines = max(self.items * ITEM_KINDS * ITEM_S, self.typed_files * TYPED_FILE_S)
        return lines + self.bits_files * BITS_FILE_S

    @property
    def general_s(self) -> float:
        """Seconds of one pass over general code."""
        return self.measured_bytes / GENERAL_BYTES_PER_S

    @property
    def training_s(self) -> float:
        """Seconds that are left to train in."""
        left = self._seconds - FIXED_S - 2 * self.measuring_s - GENERAL_PASSES * self.general_s
        return max(LEAST_TRAINING_SHARE * self._seconds, left)

    @property
    def _seconds(self) -> float:
        return 60 * self.minutes


def _fit(wanted: float, least: int, most: int) -> int:
    return max(least, min(most, round(wanted)))
