"""A screen for Neovim, in place of a terminal: what is drawn, cell by cell, and when.

It attaches as a UI, on a connection of its own, and applies the redraw events. A frame is what is
shown whenever Neovim has finished drawing.
"""

import threading
import time
from dataclasses import dataclass, field

from nvim_rpc import Connection

MOST_FRAMES = 4000


@dataclass(frozen=True)
class Cell:
    """A character and the number of its highlight."""

    text: str = " "
    look: int = 0


@dataclass(frozen=True)
class Frame:
    """The screen at a time of ``time.perf_counter()``."""

    at: float
    rows: tuple

    @property
    def text(self):
        return "\n".join(self.rows)


@dataclass
class _Grid:
    """The current cells."""

    columns: int
    n_rows: int
    cells: list = field(default_factory=list)
    texts: list = field(default_factory=list)  # of rows; None for changed ones
    looks: dict = field(default_factory=dict)  # attributes of each highlight, by number
    colours: dict = field(default_factory=dict)

    def __post_init__(self):
        self.clear()

    def line(self, row, column, cells):
        self.texts[row] = None
        look = 0
        for text, *rest in cells:
            look = rest[0] if rest else look
            for _ in range(rest[1] if len(rest) > 1 else 1):
                self.cells[row][column] = Cell(text, look)
                column += 1

    def scroll(self, top, bottom, left, right, n_rows):
        moved = [list(row) for row in self.cells]
        for row in range(top, bottom):
            if top <= row + n_rows < bottom:
                self.cells[row][left:right] = moved[row + n_rows][left:right]
                self.texts[row] = None

    def clear(self):
        self.cells = [[Cell()] * self.columns for _ in range(self.n_rows)]
        self.texts = [None] * self.n_rows

    def rows(self):
        """Returns the texts of the rows, without trailing whitespace."""
        for row, text in enumerate(self.texts):
            if text is None:
                self.texts[row] = "".join(cell.text for cell in self.cells[row]).rstrip()
        return tuple(self.texts)


class Screen:
    """The screen of one Neovim, until it is closed."""

    def __init__(self, path, columns=80, rows=24, ui=None):
        self._grid = _Grid(columns, rows)
        self._changed = threading.Condition()
        self.frames = []
        self.messages = []  # kind and text, if the UI shows messages itself
        self._connection = Connection(path, self._notified)
        self._connection.request(
            "nvim_ui_attach", columns, rows, {"rgb": True, "ext_linegrid": True} | (ui or {})
        )

    def close(self):
        """Detaches from Neovim, which may have exited."""
        self._connection.close()

    @property
    def rows(self):
        """The rows of the newest frame, without trailing whitespace."""
        with self._changed:
            return list(self.frames[-1].rows) if self.frames else []

    @property
    def cells(self):
        """The text and attributes of each cell, and the default colours."""
        with self._changed:
            looks = self._grid.looks
            cells = [[(c.text, looks.get(c.look, {})) for c in row] for row in self._grid.cells]
            return cells, dict(self._grid.colours)

    def wait_for(self, condition, timeout_s=20.0):
        """Returns the first frame, from the newest on, that fulfils a condition."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            at = max(0, len(self.frames) - 1)
            while True:
                for frame in self.frames[at:]:
                    if condition(frame):
                        return frame
                at = len(self.frames)
                if not self._changed.wait(deadline - time.monotonic()):
                    shown = self.frames[-1].text if self.frames else "nothing"
                    raise AssertionError(f"not drawn in time; the screen shows\n{shown}")

    def get_frames_since(self, at):
        """Returns the frames drawn after a time."""
        with self._changed:
            return [frame for frame in self.frames if frame.at > at]

    def _notified(self, name, events):
        if name != "redraw":
            return
        with self._changed:
            for event, *calls in events:
                for arguments in calls:
                    self._apply(event, arguments)

    def _apply(self, name, arguments):
        grid = self._grid
        if name == "grid_line":
            grid.line(*arguments[1:4])
        elif name == "grid_scroll":
            grid.scroll(*arguments[1:6])
        elif name == "grid_clear":
            grid.clear()
        elif name == "hl_attr_define":
            grid.looks[arguments[0]] = arguments[1]
        elif name == "default_colors_set":
            grid.colours = {"fg": arguments[0], "bg": arguments[1]}
        elif name == "msg_show":
            self.messages.append((arguments[0], "".join(chunk[1] for chunk in arguments[1])))
        elif name == "flush":
            self.frames.append(Frame(time.perf_counter(), grid.rows()))
            del self.frames[:-MOST_FRAMES]
            self._changed.notify_all()
