"""An editor's text and cursor, with VS Code's automatic indentation and closing of brackets.

Each change is returned in the form of the protocol: a range in lines and UTF-16 units, and the new
text.
"""

from dataclasses import dataclass
from typing import Any

_PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_TAB = "    "
_BEFORE_CLOSED = " \n)]}:,;"  # brackets are closed before these and at the end


@dataclass(kw_only=True)
class Buffer:
    """A document that is being edited.

    Attributes:
        text: Lines end with a line feed.
        cursor: In characters.
    """

    text: str
    cursor: int
    version: int = 1

    def position(self, offset: int) -> dict[str, int]:
        """Returns the protocol's position of an offset."""
        line_start = self.text.rfind("\n", 0, offset) + 1
        head = self.text[line_start:offset]
        units = len(head.encode("utf-16-le", "surrogatepass")) // 2
        return {"line": self.text.count("\n", 0, offset), "character": units}

    def offset(self, position: dict[str, int]) -> int:
        """Returns the offset of a position; the inverse of :meth:`position`."""
        start = 0
        for _ in range(position["line"]):
            start = self.text.index("\n", start) + 1
        line = self.text[start:].partition("\n")[0].encode("utf-16-le", "surrogatepass")
        return start + len(line[: 2 * position["character"]].decode("utf-16-le", "surrogatepass"))

    def replace(self, start: int, end: int, text: str, *, cursor: int) -> dict[str, Any]:
        """Replaces a range by ``text``, and puts the cursor ``cursor`` characters into it."""
        span = {"start": self.position(start), "end": self.position(end)}
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + cursor
        self.version += 1
        return {"range": span, "text": text}

    def press(self, character: str, *, may_close: bool) -> dict[str, Any]:
        """Types a character: over an equal closing bracket, or with its closing bracket."""
        at = self.cursor
        following = self.text[at : at + 1]
        if following == character and character in _PAIRS.values():
            return self.replace(at, at + 1, character, cursor=1)
        if may_close and character in _PAIRS and (not following or following in _BEFORE_CLOSED):
            return self.replace(at, at, character + _PAIRS[character], cursor=1)
        return self.replace(at, at, character, cursor=1)

    def newline(self) -> dict[str, Any]:
        """Breaks the line: indented like the last one, and further after a colon or a bracket."""
        head = self.text[: self.cursor].rpartition("\n")[2]
        indentation = head[: len(head) - len(head.lstrip())]
        if head.rstrip().endswith((":", "(", "[", "{")):
            indentation += _TAB
        text = "\n" + indentation
        return self.replace(self.cursor, self.cursor, text, cursor=len(text))

    def indent(self) -> dict[str, Any]:
        """Types the tab key."""
        return self.replace(self.cursor, self.cursor, _TAB, cursor=len(_TAB))

    def delete(self) -> dict[str, Any]:
        """Deletes backwards: a character, or one level of indentation."""
        head = self.text[: self.cursor].rpartition("\n")[2]
        is_indentation = head.strip() == "" and head.endswith(_TAB) and len(head) % len(_TAB) == 0
        start = self.cursor - (len(_TAB) if is_indentation else 1)
        return self.replace(start, self.cursor, "", cursor=0)
