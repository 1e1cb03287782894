"""Takes screenshots of a real Neovim, as SVG.

Run: ``python tests/e2e/screenshots/nvim_screenshots.py FOLDER [0.11|0.12]``.

Opens Neovim with the plugin, the real server and the bundled model, types until ghost text is
shown, runs ``:Parrotlet why``, and writes both screens, cell by cell with their colours:
``ghost-text.svg``, the picture in the READMEs, and ``why.svg``.
"""

import sys
import tempfile
from html import escape
from itertools import groupby
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "nvim" / "driver"))

from example_text import TEXT
from nvim_editor import Editor, make_setup

COLUMNS, ROWS = 78, 20
CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 8.4, 18, 14
NO_BREAK_SPACE = "\u00a0"  # SVG collapses ordinary spaces

SETTINGS = {"suggestion": {"eagerness": "eager"}}
LOOK = """
vim.o.termguicolors, vim.o.number, vim.o.laststatus, vim.o.ruler = true, true, 2, false
vim.o.showmode = false
vim.o.statusline = " %t %m %= %{v:lua.require'parrotlet'.statusline()}  %l:%c "
"""


def main(argv):
    """Writes the pictures into the folder named by the first argument."""
    folder, version = Path(argv[0]), (argv[1:] or ["0.12"])[0]
    with tempfile.TemporaryDirectory() as home:
        editor = Editor(
            version, Path(home), LOOK + make_setup(settings=SETTINGS), size=(COLUMNS, ROWS)
        )
        try:
            editor.open(f"{TEXT}\n", "stack.py")
            editor.press("o")
            editor.wait_until(lambda: editor.ghost, "ghost text")
            editor.command("echo ''")
            editor.screen.wait_for(lambda f: "Parrotlet: ready" in f.text and not f.rows[-1])
            write(folder / "ghost-text.svg", editor.screen.cells)
            editor.lua("require('parrotlet.ui.explanation').show()")
            editor.screen.wait_for(lambda f: "Last request" in f.text)
            write(folder / "why.svg", editor.screen.cells)
        finally:
            editor.close()


def write(path, screen):
    """Writes a screen's cells, each its text and attributes, as SVG."""
    cells, normal = screen
    width, height = COLUMNS * CELL_WIDTH, len(cells) * CELL_HEIGHT
    font = f'font-family="monospace" font-size="{FONT_SIZE}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" {font}>',
        f'<rect width="100%" height="100%" fill="{colour(normal["bg"])}"/>',
    ]
    for row, line in enumerate(cells):
        column = 0
        for look, run in groupby(line, key=lambda cell: sorted(cell[1].items())):
            text = "".join(cell[0] for cell in run)
            parts.append(piece(text, dict(look), row, column, normal))
            column += len(text)
    path.write_text("\n".join([*(p for p in parts if p), "</svg>", ""]), encoding="utf-8")


def piece(text, look, row, column, normal):
    """Returns one run of equal cells, its background first."""
    x, y = column * CELL_WIDTH, row * CELL_HEIGHT
    length = len(text) * CELL_WIDTH
    ink, paper = look.get("foreground", normal["fg"]), look.get("background")
    if look.get("reverse"):
        ink, paper = normal["bg"] if paper is None else paper, ink
    out = ""
    if paper is not None:
        out = (
            f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{CELL_HEIGHT}"'
            f' fill="{colour(paper)}"/>\n'
        )
    shown = text.strip()
    if not shown:
        return out.rstrip()
    x += (len(text) - len(text.lstrip())) * CELL_WIDTH
    length, shown = len(shown) * CELL_WIDTH, shown.replace(" ", NO_BREAK_SPACE)
    style = ' font-style="italic"' if look.get("italic") else ""
    style += ' font-weight="bold"' if look.get("bold") else ""
    return (
        f'{out}<text x="{x:.1f}" y="{y + FONT_SIZE}" textLength="{length:.1f}"'
        f' fill="{colour(ink)}"{style}>{escape(shown)}</text>'
    )


def colour(number):
    """Returns ``#rrggbb`` for an RGB number."""
    return f"#{number:06x}"


if __name__ == "__main__":
    main(sys.argv[1:])
