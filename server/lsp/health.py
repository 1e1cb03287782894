"""What runs here and how it is, as ``parrotlet.health`` answers it."""

import asyncio
import os
from typing import TYPE_CHECKING

import psutil

from server import VERSION
from server.health_report import Health

if TYPE_CHECKING:
    from server.lsp.server import Server


async def check_health(server: "Server") -> Health:
    """Asks the worker and measures memory."""
    service = server.service
    backend = await asyncio.wrap_future(service.check_health())
    watch, is_adapted = server.adaptation_watch, service.uses_workspace_model
    return Health(
        version=VERSION,
        model=server.configuration.settings.model or "bundled",
        adapted=watch.describe_adapted() if is_adapted else watch.describe_withheld(),
        adapting=watch.describe_running(),
        backend=backend,
        state=str(service.status.state),
        reason=service.status.reason,
        documents=len(server.documents),
        server_mib=_resident_mib(os.getpid()),
        worker_mib=_resident_mib(service.worker_pid),
    )


def _resident_mib(pid: int | None) -> float | None:
    """Returns the memory that a process holds; None if there is none, or it has exited."""
    if pid is None:
        return None
    try:
        n_bytes = int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
    return round(n_bytes / (1 << 20), 1)
