"""A simulated typist: which key to press next, and after which pause, to write a known text.

Pure, and the same for the same seed. The typist mistypes letters now and then and deletes them,
thinks at the beginning of a line, looks elsewhere in the file, lets the editor close brackets, and
accepts a suggestion that is what it was about to write. It reads suggestions only in pauses that
are long enough, so that what it accepts does not depend on a few milliseconds of latency.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

READING_S = 0.5  # a pause this long is long enough to read a suggestion
_KEY_S, _KEY_SPREAD = 0.16, 0.35  # median and log-spread of the pause before a letter
_LINE_S, _LINE_SPREAD = 0.9, 0.5  # before a line's first letter
_THOUGHT_S = 0.7  # after a character that one thinks at
_THOUGHT_CHANCE = 0.4
_THOUGHT_AT = frozenset(".(=,[ ")
_WRONG_CHANCE = 0.02
_MAX_WRONG = 2
_JUMP_CHANCE = 0.05
_MIN_ACCEPTED = 3  # characters; fewer are quicker typed than accepted
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Act(StrEnum):
    """What the typist does."""

    TYPE = "type"
    NEWLINE = "newline"
    INDENT = "indent"
    DELETE = "delete"
    JUMP = "jump"  # to another line and back


@dataclass(frozen=True, kw_only=True)
class Key:
    """One act and the pause before it, in seconds at a human pace."""

    act: Act
    text: str = ""
    pause_s: float

    @property
    def is_read_before(self) -> bool:
        """Whether a suggestion is read in the pause."""
        return self.pause_s >= READING_S


class Typist:
    """Writes one text.

    Args:
        target: The text.
        seed: Seeds everything random.
    """

    def __init__(self, target: str, seed: str) -> None:
        self._target = target
        self._chance = random.Random(seed)
        self._n_wrong = 0  # letters still to mistype

    def next_key(self, typed: str) -> Key | None:
        """Returns the next key; None when the text is complete.

        Args:
            typed: What has been written so far, up to the cursor.
        """
        if not self._target.startswith(typed):
            if self._n_wrong > 0 and self._is_wrong_at_end(typed):
                self._n_wrong -= 1
                return self._key(Act.TYPE, self._chance.choice(_LETTERS))
            self._n_wrong = 0
            return self._key(Act.DELETE)
        left = self._target[len(typed) :]
        if not left:
            return None
        at_line_start = typed.endswith("\n") or not typed
        if at_line_start and self._chance.random() < _JUMP_CHANCE:
            return Key(act=Act.JUMP, pause_s=self._pause(_LINE_S, _LINE_SPREAD))
        if left[0] == "\n":
            return self._key(Act.NEWLINE)
        if left.startswith("    ") and typed.rpartition("\n")[2].strip() == "":
            return self._key(Act.INDENT)
        if left[0].isalpha() and self._chance.random() < _WRONG_CHANCE:
            self._n_wrong = self._chance.randint(0, _MAX_WRONG - 1)
            return self._key(Act.TYPE, self._chance.choice(_LETTERS.replace(left[0].lower(), "")))
        return Key(act=Act.TYPE, text=left[0], pause_s=self._before_letter(typed))

    def accepted_part(self, typed: str, suggested: str) -> str | None:
        """Returns how much of a suggestion to accept: all, its first line, or nothing (None)."""
        left = self._target[len(typed) :]
        if len(suggested.strip()) < _MIN_ACCEPTED or not self._target.startswith(typed):
            return None
        if left.startswith(suggested):
            return suggested
        line = first_line(suggested)
        is_right = bool(line.strip()) and is_rest_of_line(left, line)
        return line if is_right and len(line.strip()) >= _MIN_ACCEPTED else None

    def closes_in_line(self, typed: str, bracket: str) -> bool:
        """Returns whether the text closes a bracket in the line that opens it."""
        line = self._target[len(typed) + 1 :].partition("\n")[0]
        depth = 1
        closer = {"(": ")", "[": "]", "{": "}"}.get(bracket, bracket)
        for character in line:
            if character == closer:
                depth -= 1
            elif character == bracket:
                depth += 1
            if depth == 0:
                return True
        return False

    def _is_wrong_at_end(self, typed: str) -> bool:
        return self._target.startswith(typed[:-1])

    def _before_letter(self, typed: str) -> float:
        if typed.rpartition("\n")[2].strip() == "":
            return self._pause(_LINE_S, _LINE_SPREAD)
        if typed[-1] in _THOUGHT_AT and self._chance.random() < _THOUGHT_CHANCE:
            return self._pause(_THOUGHT_S, _KEY_SPREAD)
        return self._pause(_KEY_S, _KEY_SPREAD)

    def _key(self, act: Act, text: str = "") -> Key:
        return Key(act=act, text=text, pause_s=self._pause(_KEY_S, _KEY_SPREAD))

    def _pause(self, median_s: float, spread: float) -> float:
        return median_s * self._chance.lognormvariate(0, spread)


def first_line(text: str) -> str:
    """Returns a suggestion's first line that is not empty, with the line feeds before it."""
    content = len(text) - len(text.lstrip("\n"))
    end = text.find("\n", content)
    return text if end < 0 else text[:end]


def is_next(left: str, line: str) -> bool:
    """Returns whether ``line`` is how what is left to write begins, up to the end of a word."""
    following = left[len(line) :][:1]
    ends_word = not (following.isalnum() or following == "_")
    return left.startswith(line) and (ends_word or not (line[-1:].isalnum() or line[-1:] == "_"))


def is_rest_of_line(left: str, line: str) -> bool:
    """Returns whether ``line`` completes the current line of what is left to write."""
    return left.startswith(line) and left[len(line) :].partition("\n")[0].strip() == ""
