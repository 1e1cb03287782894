"""What runs here and how it is, as ``parrotlet.health`` answers it."""

import asyncio
from typing import TYPE_CHECKING

import psutil

from server import VERSION
from server.health_report import health_rows

if TYPE_CHECKING:
    from server.lsp.server import Server


async def check_health(server: "Server") -> dict[str, object]:
    """Returns the facts as JSON, for programs, and as rows of a label and a text, for people."""
    service = server.service
    worker = await asyncio.wrap_future(service.check_health())
    facts = {
        "version": VERSION,
        "state": str(service.status.state),
        "reason": service.status.reason,
        "model": server.configuration.settings.model or "bundled",
        "documents": len(server.documents),
        "server_mib": _resident_mib(None),
        "worker_mib": _resident_mib(service.worker_pid),
        **worker,
    }
    return {**facts, "report": health_rows(facts)}


def _resident_mib(pid: int | None) -> float | None:
    """Returns the memory that a process holds, this one for None; None if it has exited."""
    try:
        n_bytes = int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
    return round(n_bytes / (1 << 20), 1)
