"""Draws the middle of a piece that is split for infilling: the characters that a model fills in.

Uniform spans teach infilling in general. The other kinds are what editors ask for: the rest of a
line, with what the editor has closed after the cursor in the suffix, and the rest of a block. They
begin anywhere, so that prefixes also end within names.

Pure functions of a text and a random number generator.

Source: Bavarian et al. 2022, arXiv:2207.14255 (the uniform split on characters).
"""

import random
import re

from training.config import FimConfig

MAX_BLOCK_LINES = 16  # of a middle that ends where a block ends; about what editors show
_OPENING, _CLOSING = "([{", ")]}"
_LEXEMES = re.compile(
    r"""(?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*')|\#.*|[()\[\]{}]"""
)


def draw_middle(text: str, fim: FimConfig, chance: random.Random) -> tuple[int, int]:
    """Draws the middle: characters ``[start, end)``, of a kind that is drawn by its share."""
    kind = chance.random()
    if kind < fim.line_share:
        return _draw_lines(text, fim.more_lines, chance)
    if kind < fim.line_share + fim.bracket_share:
        return _draw_enclosed(text, chance)
    if kind < fim.line_share + fim.bracket_share + fim.block_share:
        return _draw_rest_of_block(text, chance)
    a, b = chance.randint(0, len(text)), chance.randint(0, len(text))
    return min(a, b), max(a, b)


def _draw_lines(text: str, more_lines: float, chance: random.Random) -> tuple[int, int]:
    """Draws a middle that ends at a line's end."""
    start = chance.randint(0, len(text))
    end = _find_line_end(text, start)
    while end < len(text) and chance.random() < more_lines:
        end = _find_line_end(text, end + 1)
    return start, end


def _draw_enclosed(text: str, chance: random.Random) -> tuple[int, int]:
    """Draws a middle that ends before the bracket or quote that closes around its beginning.

    In a line without any, it ends at the line's end.
    """
    at = chance.randint(0, len(text))
    line_start, line_end = text.rfind("\n", 0, at) + 1, _find_line_end(text, at)
    pairs = find_pairs(text[line_start:line_end])
    if not pairs:
        return at, line_end
    opened, closing = chance.choice(pairs)
    return line_start + chance.randint(opened, closing), line_start + closing


def _draw_rest_of_block(text: str, chance: random.Random) -> tuple[int, int]:
    """Draws a middle that ends with the last line that is indented as deep as its first line.

    If that is far away, it ends at the line's end.
    """
    start = chance.randint(0, len(text))
    line_start, line_end = text.rfind("\n", 0, start) + 1, _find_line_end(text, start)
    indent = _count_indent(text[line_start:line_end])
    at = end = line_end
    for _ in range(MAX_BLOCK_LINES):
        if at == len(text):
            return start, end
        line_start, at = at + 1, _find_line_end(text, at + 1)
        line = text[line_start:at]
        if line.strip() and _count_indent(line) < indent:
            return start, end
        if line.strip():
            end = at
    return start, line_end


def find_pairs(line: str) -> list[tuple[int, int]]:
    """Returns what brackets and quotes of a line enclose: ``[opened, closing)``, inner ones first.

    Pairs that close on another line are left out, and so is what a comment holds.
    """
    pairs: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for match in _LEXEMES.finditer(line):
        lexeme = match.group()
        if match["string"]:
            pairs.append((match.start() + 1, match.end() - 1))
        elif lexeme in _OPENING:
            opened.append((_CLOSING[_OPENING.index(lexeme)], match.end()))
        elif opened and opened[-1][0] == lexeme:
            pairs.append((opened.pop()[1], match.start()))
    return pairs


def _find_line_end(text: str, position: int) -> int:
    newline = text.find("\n", position)
    return len(text) if newline < 0 else newline


def _count_indent(line: str) -> int:
    return len(line) - len(line.lstrip())
