"""What runs here and how it is: as JSON for programs, and as rows of a label and a text for people.

Called by ``lsp`` for ``parrotlet.health``, and by the command line.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from server.backends.backend import BackendInfo
from server.workspace.memory_info import MemoryInfo

_INFILLING = {
    "template": "by the format that the model's tokenizer defines",
    "suffix": "by the server, which gets the text after the cursor as `suffix`",
    "artifact": "as the model was trained",
    "none": "none: the server continues the text before the cursor",
}


@dataclass(frozen=True, kw_only=True)
class Health:
    """The state of the server, and of what generates suggestions.

    Attributes:
        version: Of this package.
        model: As the settings name it.
        adapted: To what that model was adapted, when, and what it brought, or why the adapted one
            is not in use; None if it was not.
        adapting: How an adaptation is going, in a sentence; None if there is none.
        backend: What generates; None while nothing does.
        state: As in a status bar.
        reason: Of the state.
        documents: How many are open.
        server_mib: Memory of the server.
        worker_mib: Memory of the worker; None if there is none.
        ready_s: How long loading took, if that was measured.
        suggestion_ms: How long a suggestion took, if that was measured.
    """

    version: str
    model: str
    backend: BackendInfo | None
    state: str | None = None
    reason: str | None = None
    documents: int | None = None
    server_mib: float | None = None
    worker_mib: float | None = None
    ready_s: float | None = None
    suggestion_ms: float | None = None
    adapted: str | None = None
    adapting: str | None = None

    def to_json(self) -> dict[str, object]:
        """Returns what ``parrotlet.health`` answers, the rows as ``report``."""
        return {
            "version": self.version,
            "state": self.state,
            "reason": self.reason,
            "model": self.model,
            "adapted": self.adapted,
            "adapting": self.adapting,
            "documents": self.documents,
            "server_mib": self.server_mib,
            "worker_mib": self.worker_mib,
            **(self.backend.to_json() if self.backend is not None else {}),
            "report": self.rows(),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Returns a row for each thing that is known."""
        return [(label, text) for label, text in self._all_rows() if text]

    def _all_rows(self) -> Iterator[tuple[str, str]]:
        backend = self.backend or BackendInfo()
        yield "Version", self.version
        state = "ready" if self.state == "idle" else self.state
        yield "State", _join(": ", state, self.reason)
        yield "Model", self.model if backend.model is None else backend.model
        yield "Adapted", self.adapted or ""
        yield "Adaptation", self.adapting or ""
        yield "Remote server", backend.url or ""
        yield "Infilling", _INFILLING.get(backend.infilling or "", "")
        yield "Size", describe_size(backend)
        yield "Context", _format("{} tokens", backend.context_tokens)
        yield "Device", backend.device or ""
        yield "Precision", backend.precision or ""
        yield "Threads", _format("{}", backend.threads)
        yield "Attribution", _describe_attribution(backend)
        yield "Workspace", _describe_memory(backend.memory)
        yield "Open documents", _format("{}", self.documents)
        yield (
            "Memory",
            _join(
                ", ",
                _format("server {} MiB", self.server_mib),
                _format("model {} MiB", self.worker_mib),
            ),
        )
        yield "Ready after", "" if self.ready_s is None else f"{self.ready_s:.1f} s"
        yield "Suggestion after", _format("{} ms", self.suggestion_ms)


def describe_size(backend: BackendInfo) -> str:
    """Returns how large a model is and how long it was trained; "" if nothing is known."""
    return _join(
        ", ",
        _abbreviate("{} parameters", backend.parameters),
        _abbreviate("trained on {} tokens", backend.tokens_seen),
    )


def format_rows(rows: list[tuple[str, str]]) -> str:
    """Returns rows as lines to print, the texts aligned."""
    width = max(len(label) for label, _ in rows)
    return "".join(f"{label:{width}}  {text}\n" for label, text in rows)


def _describe_attribution(backend: BackendInfo) -> str:
    if backend.knows_its_sources is None or backend.url is not None:
        return ""
    return "on" if backend.knows_its_sources else "off: the model has no index of its corpus"


def _describe_memory(memory: MemoryInfo | None) -> str:
    if memory is None:
        return ""
    if memory.age_s is None:
        return "not indexed yet"
    left_out = f" ({memory.files_left_out} did not fit)" if memory.files_left_out else ""
    return _join(
        ", ",
        ("1 file" if memory.files == 1 else f"{memory.files} files") + left_out,
        _abbreviate("{} tokens", memory.tokens),
        f"indexed {_format_age(memory.age_s)} ago",
    )


def _format_age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _join(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)


def _format(template: str, number: float | None) -> str:
    """Returns a text with a number, rounded; "" if it is not known."""
    return "" if number is None else template.format(f"{number:.0f}")


def _abbreviate(template: str, number: float | None) -> str:
    """Returns a text with a large number as "17.3M"; "" if it is not known."""
    rounded = None if number is None else float(f"{number:.3g}")
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if rounded is not None and rounded >= size:
            return template.format(f"{rounded / size:g}{unit}")
    return _format(template, number)
