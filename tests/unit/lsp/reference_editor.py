"""A text editor as simple as can be, to compare the server's documents with.

It holds its text in units of an encoding and applies an edit as the protocol defines it: slowly,
and obviously right.
"""

_CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_WIDTHS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


class ReferenceEditor:
    """One document."""

    def __init__(self, text, encoding):
        self._codec, self._width = _CODECS[encoding], _WIDTHS[encoding]
        self.text = text

    @property
    def text(self):
        return b"".join(self._units).decode(self._codec, "surrogatepass")

    @text.setter
    def text(self, text):
        data = text.encode(self._codec, "surrogatepass")
        self._units = [data[i : i + self._width] for i in range(0, len(data), self._width)]

    @property
    def end(self):
        """The position of the end of the text."""
        starts, ends = self._lines()
        return len(starts) - 1, ends[-1] - starts[-1]

    def edit(self, start, end, text):
        """Replaces what is between two positions; an end before the start means the start."""
        first = self._index(*start)
        last = max(first, self._index(*end))
        head, tail = self._units[:first], self._units[last:]
        self.text = text
        self._units = [*head, *self._units, *tail]

    def _lines(self):
        """Returns the indices at which lines start, and at which their ends do."""
        feed, back = (c.encode(self._codec) for c in "\n\r")
        starts, ends, i = [0], [], 0
        while i < len(self._units):
            if self._units[i] in {feed, back}:
                ends.append(i)
                i += self._units[i : i + 2] == [back, feed]
                starts.append(i + 1)
            i += 1
        return starts, [*ends, len(self._units)]

    def _index(self, line, column):
        starts, ends = self._lines()
        if line >= len(starts):
            return len(self._units)
        index = min(starts[line] + column, ends[line])
        while index > 0 and self._is_inside(index):
            index -= 1
        return index

    def _is_inside(self, index):
        """Returns whether an index lies within a character."""
        if index >= len(self._units):
            return False
        unit = int.from_bytes(self._units[index], "little")
        if self._width == 1:
            return 0x80 <= unit < 0xC0
        before = int.from_bytes(self._units[index - 1], "little")
        return self._width == 2 and 0xDC00 <= unit < 0xE000 and 0xD800 <= before < 0xDC00
