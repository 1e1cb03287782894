"""Examples for a gate: tokens of known lines, with what the model and the other files say of them.

Each package is a workspace in turn. At places in its files, the model and a memory of the other
files are asked for the tokens that stand there, one after the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.accuracy.items import Item
from evaluation.accuracy.workspaces import Workspaces
from server.backends.context_budget import window_between
from server.backends.local_model import LocalModel
from server.engine.trace import Trace
from server.memory.gate import describe_token
from server.memory.token_memory import MAX_MATCHES, Match, TokenMemory

_MAX_TARGET_TOKENS = 64


@dataclass(frozen=True, kw_only=True)
class GateExample:
    """One token.

    Attributes:
        package: The workspace.
        features: What the gate reads ``[F]``.
        shares: The probability of the token by the model and by each match ``[1 + MAX_MATCHES]``.
        n_matches: How many matches there are.
    """

    package: str
    features: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float32]
    n_matches: int


def collect_examples(
    model: LocalModel, workspaces: Workspaces, items: Sequence[Item]
) -> Iterator[list[GateExample]]:
    """Yields the examples of each item: one for each token of its target and the line's end."""
    for item in items:
        memory = workspaces.recall(item)
        window = window_between(item.prefix, item.suffix, _MAX_TARGET_TOKENS, model)
        yield list(_read_examples(model.trace(window, f"{item.target}\n"), memory, item.package))


def _read_examples(trace: Trace, memory: TokenMemory, package: str) -> Iterator[GateExample]:
    context = list(trace.before)
    for token in trace.tokens[:_MAX_TARGET_TOKENS]:
        matches = memory.find(context)
        shares = [token.probability, *(_share(match, token.token_id) for match in matches)]
        shares += [0.0] * (1 + MAX_MATCHES - len(shares))
        yield GateExample(
            package=package,
            features=describe_token(token.certainty, matches),
            shares=np.array(shares, np.float32),
            n_matches=len(matches),
        )
        context.append(token.token_id)


def _share(match: Match, token_id: int) -> float:
    at = np.flatnonzero(match.ids == token_id)
    return float(match.counts[at[0]]) / match.total if at.size else 0.0
