"""A screen for a Neovim, as a terminal would be one: what is painted, cell by cell, and when.

Attaches over Neovim's own protocol, on a connection of its own, and follows the redraw events. A
frame is what stands there whenever Neovim says that it has finished painting.
"""

import socket
import threading
import time
from dataclasses import dataclass, field

import msgpack

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
MOST_FRAMES = 4000


@dataclass(frozen=True)
class Cell:
    """A character and the number of its highlight."""

    text: str = " "
    look: int = 0


@dataclass(frozen=True)
class Frame:
    """What was painted at a time of ``time.perf_counter()``."""

    at: float
    rows: tuple

    @property
    def text(self):
        return "\n".join(self.rows)


@dataclass
class _Grid:
    """The cells, as the events leave them."""

    columns: int
    n_rows: int
    cells: list = field(default_factory=list)
    looks: dict = field(default_factory=dict)  # attributes of each highlight, by number
    colours: dict = field(default_factory=dict)

    def __post_init__(self):
        self.cells = [[Cell()] * self.columns for _ in range(self.n_rows)]

    def line(self, row, column, cells):
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

    def clear(self):
        self.__post_init__()


class Screen:
    """Follows one Neovim until it is closed."""

    def __init__(self, path, columns=80, rows=24):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._grid = _Grid(columns, rows)
        self._changed = threading.Condition()
        self.frames = []
        self._send("nvim_ui_attach", columns, rows, {"rgb": True, "ext_linegrid": True})
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self):
        """Ends with Neovim's own end, or before it."""
        self._socket.close()
        self._thread.join(5)

    @property
    def rows(self):
        """The newest frame's rows, without the white space at their ends."""
        with self._changed:
            return list(self.frames[-1].rows) if self.frames else []

    @property
    def cells(self):
        """Text and attributes of each cell, and the default colours."""
        with self._changed:
            looks = self._grid.looks
            cells = [[(c.text, looks.get(c.look, {})) for c in row] for row in self._grid.cells]
            return cells, dict(self._grid.colours)

    def wait_for(self, is_wanted, timeout_s=20.0):
        """Returns the first frame from the newest on for which ``is_wanted`` holds."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            at = max(0, len(self.frames) - 1)
            while True:
                for frame in self.frames[at:]:
                    if is_wanted(frame):
                        return frame
                at = len(self.frames)
                if not self._changed.wait(deadline - time.monotonic()):
                    shown = self.frames[-1].text if self.frames else "nothing"
                    raise AssertionError(f"it was not painted; the screen shows\n{shown}")

    def since(self, at):
        """Returns the frames painted after a time."""
        with self._changed:
            return [frame for frame in self.frames if frame.at > at]

    def _send(self, method, *arguments):
        self._socket.sendall(msgpack.packb([REQUEST, 1, method, arguments]))

    def _read(self):
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="replace")
        while True:
            try:
                received = self._socket.recv(1 << 16)
            except OSError:
                return
            if not received:
                return
            unpacker.feed(received)
            for message in unpacker:
                if message[0] == NOTIFICATION and message[1] == "redraw":
                    self._redraw(message[2])

    def _redraw(self, events):
        with self._changed:
            for name, *calls in events:
                for arguments in calls:
                    self._apply(name, arguments)

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
        elif name == "flush":
            rows = tuple("".join(cell.text for cell in row).rstrip() for row in grid.cells)
            self.frames.append(Frame(time.perf_counter(), rows))
            del self.frames[:-MOST_FRAMES]
            self._changed.notify_all()
