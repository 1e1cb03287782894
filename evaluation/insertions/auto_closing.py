"""What an editor closes by itself while a line is typed: brackets, quotes, fields of f-strings.

A plain scan of one line; the commands that cut files use it to leave behind the cursor what a
typist would have there.
"""

import re

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_PREFIX = re.compile(r"(?i)(?:^|[^\w])([bfrtu]{0,2})$")


def open_closers(line: str) -> str:
    """Returns what would close the brackets and quotes that ``line`` leaves open, innermost first.

    Fields of f-strings count. A line that ends in a triple-quoted string or a comment leaves
    nothing that an editor would close.
    """
    stack = _stack_after(line)
    return "" if stack is None else "".join(reversed(stack))


def closers_within(head: str, rest: str) -> str:
    """Returns the closers that an editor has behind ``head`` of a line that goes on with ``rest``.

    Only those that the rest of the line needs: a bracket that is closed on a later line was taken
    there by its closer.
    """
    before, after = _stack_after(head), _stack_after(head + rest)
    if before is None or after is None:
        return ""
    n_kept = 0
    while n_kept < min(len(before), len(after)) and before[n_kept] == after[n_kept]:
        n_kept += 1
    return "".join(reversed(before[n_kept:]))


def _stack_after(line: str) -> list[str] | None:
    """Returns the closers of what is open, the outermost first; None if none is closed."""
    stack: list[str] = []
    quotes: list[tuple[str, bool]] = []  # quotation marks and whether it is an f-string
    in_text = False
    at = 0
    while at < len(line):
        character = line[at]
        if in_text:
            quote, is_formatted = quotes[-1]
            if character == "\\":
                at += 2
                continue
            if character == quote:
                quotes.pop()
                stack.pop()
                in_text = False
            elif is_formatted and character == "{":
                if line[at : at + 2] == "{{":
                    at += 1
                else:
                    stack.append("}")
                    in_text = False
        elif character in "\"'":
            if line[at : at + 3] == 3 * character:
                return None
            prefix = _PREFIX.search(line[:at])
            quotes.append((character, prefix is not None and bool(set("fFtT") & set(prefix[1]))))
            stack.append(character)
            in_text = True
        elif character == "#" and not quotes:
            return None
        elif character in _CLOSING:
            stack.append(_CLOSING[character])
        elif stack and character == stack[-1]:
            stack.pop()
            in_text = character == "}" and bool(quotes) and bool(stack) and stack[-1] in "\"'"
        at += 1
    return stack
