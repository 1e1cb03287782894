"""Stars of repositories on GitHub: a hundred a request with a token, one without.

Source: GitHub's REST and GraphQL interfaces (``repos/OWNER/NAME``, ``repository(owner, name)``).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from training.corpus.popularity.json_service import JsonService, read_count
from training.foundation.errors import CorpusError

URL = "https://api.github.com"
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
BATCH = 100  # repositories of a request


def iterate_stars(service: JsonService, names: Sequence[str]) -> Iterator[dict[str, float | None]]:
    """Yields the stars of repositories, None for those that are gone, a request at a time.

    Args:
        service: GitHub's.
        names: ``OWNER/NAME`` (:data:`REPOSITORY`).

    Raises:
        CorpusError: The service refuses, or answers with something else.
    """
    if not service.has_token:
        for name in names:
            yield {name: _read_stars(service.ask(f"/repos/{name}"), "stargazers_count")}
        return
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        answer = service.ask("/graphql", {"query": _render_query(batch)})
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict):
            raise CorpusError(
                f"GitHub answers without data ({str(answer)[:100]}); check what GITHUB_TOKEN may do"
            )
        yield {
            name: _read_stars(data.get(f"r{number}"), "stargazerCount")
            for number, name in enumerate(batch)
        }


def _render_query(names: Sequence[str]) -> str:
    """Returns one query for many repositories; the pattern of names leaves nothing to escape."""
    parts = []
    for number, name in enumerate(names):
        owner, repository = name.split("/")
        parts.append(
            f'r{number}: repository(owner: "{owner}", name: "{repository}") {{ stargazerCount }}'
        )
    return "{ " + " ".join(parts) + " }"


def _read_stars(value: Any, key: str) -> float | None:
    return read_count(value.get(key) if isinstance(value, dict) else None)
