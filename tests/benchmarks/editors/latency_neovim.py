"""From a key press to painted ghost text: real Neovims, the real server and the bundled model.

Types a module of the standard library on from its middle, as a person does, one key every KEY_S,
and measures from each key until Neovim has flushed the redraw that shows ghost text behind it.
Prints median and 95th percentile over N_KEYS keys behind which something was shown: all of them,
and those for which the server had to be asked, which typing as suggested spares. The server shows
all that the model writes (eagerness "always"), so that every key has something to show.

Run: ``python tests/benchmarks/editors/latency_neovim.py`` on a machine with nothing else to do; the
load average is printed.
"""

import os
import statistics
import sys
import tempfile
import textwrap
import time
from pathlib import Path

sys.path.extend(str(Path(__file__).parents[2] / part) for part in ("e2e", "e2e/nvim/driver"))

from nvim_editor import VERSIONS, Editor, make_setup

N_KEYS = 200
KEY_S = 0.15
PATIENCE_S = 1.5  # for a key behind which nothing is shown
BAR_MS = 120
CONTEXT_LINES = 120
SETTINGS = {"suggestion": {"eagerness": "always"}, "statistics": False}


def main():
    """Prints a table."""
    lines = Path(textwrap.__file__).read_text(encoding="utf-8").splitlines()
    print(f"{N_KEYS} keys, bundled model, load average {os.getloadavg()[0]:.1f}")
    print(f"{'':8}{'':10}{'keys':>6}{'median':>10}{'p95':>10}")
    is_good = True
    for version in VERSIONS:
        everything, asked = measured(version, lines)
        for name, times in (("all", everything), ("asked", asked)):
            p95 = statistics.quantiles(times, n=20)[-1]
            median = statistics.median(times)
            print(f"{version:8}{name:10}{len(times):6}{median:7.0f} ms{p95:7.0f} ms")
        is_good &= statistics.median(asked) < BAR_MS
    print(f"the median is {'' if is_good else 'NOT '}below {BAR_MS} ms")
    return 0 if is_good else 1


def measured(version, lines):
    """Types in one Neovim; returns the milliseconds of all keys, and of those that asked."""
    with tempfile.TemporaryDirectory() as home:
        editor = Editor(version, Path(home), make_setup(settings=SETTINGS), size=(110, 40))
        try:
            editor.open("\n".join(lines[:CONTEXT_LINES]) + "\n", "wrapping.py")
            editor.command("setlocal indentexpr= noautoindent")
            everything, asked = [], []
            for line in filter(str.strip, lines[CONTEXT_LINES:]):
                indentation = line[: len(line) - len(line.lstrip())]
                editor.press("<Esc>o" + indentation)
                for at in range(len(indentation), len(line)):
                    n_requests = editor.n_requests
                    took_ms = press(editor, line[at], line[: at + 1])
                    if took_ms is not None:
                        everything.append(took_ms)
                        if editor.n_requests > n_requests:
                            asked.append(took_ms)
                    if len(everything) == N_KEYS:
                        return everything, asked
            raise SystemExit("error: too little was shown to be measured; see :Parrotlet why")
        finally:
            editor.close()


def press(editor, key, typed):
    """Presses a key; returns after how many milliseconds ghost text stands behind it, if any."""

    def is_shown(frame):
        return frame.at > since and any(
            row.startswith(typed) and len(row) > len(typed) for row in frame.rows
        )

    since = time.perf_counter()
    editor.input("<lt>" if key == "<" else key)
    try:
        took_ms = 1000 * (editor.screen.wait_for(is_shown, PATIENCE_S).at - since)
    except AssertionError:
        return None
    time.sleep(max(0.0, KEY_S - took_ms / 1000))
    return took_ms


if __name__ == "__main__":
    sys.exit(main())
