"""Requests and results as the JSON that goes between the server and its worker."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from server.suggestion.extent import Extent
from server.suggestion.request import Alternative, CompletionRequest, CompletionResult
from training.artifact.code_reference import CodeReference

EXPECTS_MODEL = "--expects-model"  # the worker's only argument


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of other files, as it was when a request was made.

    ``context_text`` are whole lines, the most telling last; ``names`` are those that stand there.
    """

    context_text: str = ""
    names: frozenset[str] = frozenset()

    def context(self, budget_tokens: int, count: Callable[[str], int]) -> str:
        """Returns as many of the last lines as fit the budget."""
        kept: list[str] = []
        for line in reversed(self.context_text.splitlines(keepends=True)):
            budget_tokens -= count(line)
            if budget_tokens < 0:
                break
            kept.append(line)
        return "".join(reversed(kept))

    def knows(self, name: str) -> bool:
        """Says whether a name stands in another file."""
        return name in self.names


def request_to_json(request: CompletionRequest) -> dict[str, Any]:
    """Returns a request as JSON, without what is known of other files."""
    return {
        field.name: getattr(request, field.name)
        for field in dataclasses.fields(request)
        if field.name != "workspace"
    }


def request_from_json(values: Mapping[str, Any], known: Known) -> CompletionRequest:
    """The inverse of :func:`request_to_json`."""
    return CompletionRequest(**values, workspace=known)


def result_to_json(result: CompletionResult) -> dict[str, Any]:
    """Returns a result as JSON."""
    return dataclasses.asdict(result)


def result_from_json(values: Mapping[str, Any]) -> CompletionResult:
    """The inverse of :func:`result_to_json`."""
    others: Sequence[Mapping[str, Any]] = values["others"]
    return CompletionResult(
        **{
            **values,
            "rules": tuple(values["rules"]),
            "extent": Extent(values["extent"]),
            "source": values["source"] and CodeReference(**values["source"]),
            "others": tuple(Alternative(**other) for other in others),
        }
    )
