"""What the workspace contributes to a request: lines and names of other files, at one moment.

Collected by :mod:`server.workspace.collector` in the server, sent to the worker when it changes,
and attached there to every request.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WorkspaceSnapshot:
    """Excerpts of other files.

    Attributes:
        context_text: Whole lines, the most relevant last.
        names: Every name that occurs in those files.
    """

    context_text: str = ""
    names: frozenset[str] = frozenset()

    def context(self, budget_tokens: int, count: Callable[[str], int]) -> str:
        """Returns as many of the last lines as fit into the budget."""
        kept: list[str] = []
        for line in reversed(self.context_text.splitlines(keepends=True)):
            budget_tokens -= count(line)
            if budget_tokens < 0:
                break
            kept.append(line)
        return "".join(reversed(kept))

    def knows(self, name: str) -> bool:
        """Returns whether a name occurs in another file."""
        return name in self.names
