"""Draws what a real Neovim shows: ``python tests/e2e/picture.py OUT.svg``.

Opens Neovim with the plugin, the real server and the bundled model, types until ghost text stands
on the screen, reads the screen's cells with their colours and writes them as SVG. The picture in
the README is made by it.
"""

import sys
import tempfile
from html import escape
from itertools import groupby
from pathlib import Path

from conftest import Editor

COLUMNS, ROWS = 78, 18
CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 8.4, 18, 14

TEXT = """\
import unittest


class TestStack(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()

    def test_push(self):
        self.stack.push(1)
        self.assertEqual(self.stack.size(), 1)

    def test_pop(self):
        self.stack.push(1)
"""
KEYS = "self.assertEq"


def main(argv):
    """Writes the picture to the path named by the first argument."""
    setup = f"require('parrotlet').setup({{ cmd = {{ {sys.executable!r}, '-m', 'server' }} }})\n"
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "cache.py"
        file.write_text(TEXT)
        look = "vim.o.termguicolors = true\nvim.o.number = true\nvim.o.laststatus = 0\n"
        editor = Editor(Path(home), file, look + setup)
        try:
            editor.nvim.ui_attach(COLUMNS, ROWS, rgb=True, ext_linegrid=True)
            editor.wait_for_server()
            editor.nvim.input("Go")
            editor.type(KEYS)
            editor.until(lambda: editor.ghosts, "ghost text")
            screen = [
                [
                    editor.nvim.request("nvim__inspect_cell", 1, row, column)
                    for column in range(COLUMNS)
                ]
                for row in range(ROWS)
            ]
            normal = editor.lua("return vim.api.nvim_get_hl(0, { name = 'Normal' })")
        finally:
            editor.close()
    Path(argv[0]).write_text(drawn(screen, normal), encoding="utf-8")


def drawn(screen, normal):
    """Returns SVG for rows of cells, each its text and attributes."""
    width, height = COLUMNS * CELL_WIDTH, len(screen) * CELL_HEIGHT
    font = f'font-family="monospace" font-size="{FONT_SIZE}" xml:space="preserve"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" {font}>',
        f'<rect width="100%" height="100%" fill="{colour(normal.get("bg", 0x14161B))}"/>',
    ]
    for row, cells in enumerate(screen):
        column = 0
        for look, run in groupby(cells, key=lambda cell: sorted(cell[1].items())):
            text = "".join(cell[0] or "" for cell in run)
            parts.append(piece(text, dict(look), row, column, normal))
            column += len(text)
    return "\n".join([*(p for p in parts if p), "</svg>", ""])


def piece(text, look, row, column, normal):
    """Returns one run of equal cells, its background first."""
    x, y = column * CELL_WIDTH, row * CELL_HEIGHT
    length = len(text) * CELL_WIDTH
    out = ""
    if "background" in look:
        out = (
            f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{CELL_HEIGHT}"'
            f' fill="{colour(look["background"])}"/>\n'
        )
    if not text.strip():
        return out.rstrip()
    style = ' font-style="italic"' if look.get("italic") else ""
    style += ' font-weight="bold"' if look.get("bold") else ""
    fill = colour(look.get("foreground", normal.get("fg", 0xE0E2EA)))
    return (
        f'{out}<text x="{x:.1f}" y="{y + FONT_SIZE}" textLength="{length:.1f}" fill="{fill}"'
        f"{style}>{escape(text)}</text>"
    )


def colour(number):
    """Returns ``#rrggbb`` for an RGB number."""
    return f"#{number:06x}"


if __name__ == "__main__":
    main(sys.argv[1:])
