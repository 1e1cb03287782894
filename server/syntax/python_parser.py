"""Whether Python itself accepts a text: the parser of the running interpreter, without running it.

It is stricter than :mod:`server.syntax.parse_tree`, above all about indentation, and knows only the
syntax of its own version. Only short texts are given to it.
"""

import ast
import warnings

_REFUSALS = (SyntaxError, ValueError, RecursionError, MemoryError)


def parses(text: str) -> bool:
    """Returns whether a module may consist of ``text``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in the user's strings
            ast.parse(text)
    except _REFUSALS:
        return False
    return True
