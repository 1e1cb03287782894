"""What runs here and how it is, as rows of a label and a text, for people.

The facts are for programs (``parrotlet.health`` answers both). Called by ``lsp`` and by the command
line.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_INFILLING = {
    "template": "by the format that the model's tokenizer defines",
    "suffix": "by the server, which gets the text after the cursor as `suffix`",
    "none": "none: the server continues the text before the cursor",
}
_THOUSAND = 1000


def health_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns a row for each thing that is known; what is not known is left out."""
    return [(label, text) for label, text in _rows(facts) if text]


def lines_of(rows: list[tuple[str, str]]) -> str:
    """Returns rows as lines to print, the texts below one another."""
    width = max(len(label) for label, _ in rows)
    return "".join(f"{label:{width}}  {text}\n" for label, text in rows)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    is_remote = "url" in facts
    yield "Version", facts.get("version", "")
    state = facts.get("state")
    yield "State", _joined(": ", "ready" if state == "idle" else state, facts.get("reason"))
    yield "Model", facts.get("model", "")
    yield "Remote server", facts.get("url", "")
    yield "Infilling", _INFILLING.get(facts.get("infilling", ""), "")
    yield (
        "Size",
        _joined(
            ", ",
            _counted("{} parameters", facts.get("parameters")),
            _counted("trained on {} tokens", facts.get("tokens_seen")),
        ),
    )
    yield "Context", _counted("{} tokens", facts.get("context_tokens"), is_exact=True)
    yield "Precision", facts.get("precision", "")
    yield "Threads", _counted("{}", facts.get("threads"), is_exact=True)
    if "knows_its_sources" in facts and not is_remote:
        is_known = facts["knows_its_sources"]
        yield "Attribution", "on" if is_known else "off: the model has no index of its corpus"
    yield "Open documents", _counted("{}", facts.get("documents"), is_exact=True)
    yield (
        "Memory",
        _joined(
            ", ",
            _counted("server {} MiB", facts.get("server_mib"), is_exact=True),
            _counted("model {} MiB", facts.get("worker_mib"), is_exact=True),
        ),
    )
    yield "Ready after", "" if "ready_s" not in facts else f"{facts['ready_s']:.1f} s"
    yield (
        "Suggestion after",
        "" if "suggestion_ms" not in facts else f"{facts['suggestion_ms']:.0f} ms",
    )


def _joined(between: str, *parts: object) -> str:
    return between.join(str(part) for part in parts if part)


def _counted(template: str, number: float | None, *, is_exact: bool = False) -> str:
    """Returns a sentence with a number, large ones as "17.3M"; nothing if it is not known."""
    if number is None:
        return ""
    if is_exact or number < _THOUSAND:
        return template.format(f"{number:.0f}")
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return template.format(f"{number / size:.3g}{unit}")
    raise AssertionError(number)
