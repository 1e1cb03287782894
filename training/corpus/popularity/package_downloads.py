"""Downloads of packages in the last month, from PyPI's statistics.

Source: the interface of PyPI Stats (``packages/NAME/recent``), which counts without mirrors.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from training.corpus.popularity.json_service import JsonService, read_count

URL = "https://pypistats.org/api"


def iterate_downloads(
    service: JsonService, names: Sequence[str]
) -> Iterator[dict[str, float | None]]:
    """Yields the downloads of packages, None for those that are unknown, a request at a time.

    Raises:
        CorpusError: The service refuses, or answers with something else.
    """
    for name in names:
        answer = service.ask(f"/packages/{quote(name, safe='')}/recent?period=month")
        data = answer.get("data") if isinstance(answer, dict) else None
        yield {name: read_count(data.get("last_month") if isinstance(data, dict) else None)}
