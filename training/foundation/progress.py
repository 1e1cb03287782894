"""Progress bars for long work."""

import sys

from tqdm import tqdm

TERMINAL_INTERVAL_S, LOG_INTERVAL_S = 0.5, 30.0


def progress_bar(total: int, desc: str, unit: str, *, initial: int = 0, shown: bool = True) -> tqdm:
    """Returns a bar on standard error: live on a terminal, a line every 30 seconds in a log."""
    return tqdm(
        total=total,
        initial=initial,
        desc=desc,
        unit=unit,
        file=sys.stderr,
        disable=not shown,
        mininterval=TERMINAL_INTERVAL_S if sys.stderr.isatty() else LOG_INTERVAL_S,
    )
