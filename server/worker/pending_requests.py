"""The requests that the worker has not answered yet, and the newest one of each document.

Called by :mod:`server.worker.service` from the event loop and from the thread that reads the
worker's messages.
"""

import itertools
import threading
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass

from server.suggestion.event import CompletionEvent
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult


@dataclass(kw_only=True, eq=False)
class PendingRequest:
    """A request under way.

    Attributes:
        future: Has its result, or None if it ended without one.
        n_waiting: How many wait for it; none for one that is computed ahead.
        event: How it ended; None before it has, and if nobody wanted it any more.
        is_outdated: Whether something has changed since that its result does not know.
    """

    id: int
    request: CompletionRequest
    future: Future[CompletionResult | None]
    n_waiting: int = 0
    event: CompletionEvent | None = None
    is_outdated: bool = False

    @property
    def can_be_joined(self) -> bool:
        """Whether it will have, or has, the result of an equal request that is made now."""
        if not self.future.done():
            return True
        return self.future.result() is not None and not self.is_outdated

    def resolve(self, result: CompletionResult | None) -> bool:
        """Ends the request; returns false if it had ended already."""
        try:
            self.future.set_result(result)
        except InvalidStateError:
            return False
        return True


class PendingRequests:
    """All pending requests, safe for use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._by_id: dict[int, PendingRequest] = {}
        self._newest: dict[str, PendingRequest] = {}  # by document; may have been answered

    def add(
        self, request: CompletionRequest, *, n_waiting: int
    ) -> tuple[PendingRequest, PendingRequest | None, bool]:
        """Makes a request the newest of its document, unless it asks for the same as that one.

        Args:
            request: What to complete.
            n_waiting: How many wait for it; they are added to those who wait for the same already.

        Returns:
            The newest request; the one that it superseded, if that was under way; and whether the
            newest is a new one.
        """
        newest = self._newest.get(request.document)
        if newest is not None and newest.request == request and newest.can_be_joined:
            newest.n_waiting += n_waiting
            return newest, None, False
        superseded = self.supersede(request.document)
        pending = PendingRequest(
            id=next(self._ids), request=request, future=Future(), n_waiting=n_waiting
        )
        with self._lock:
            self._by_id[pending.id] = pending
            self._newest[request.document] = pending
        return pending, superseded, True

    def supersede(self, document: str) -> PendingRequest | None:
        """Ends a document's newest request; returns it if it was under way."""
        with self._lock:
            newest = self._newest.pop(document, None)
        return newest if newest is not None and newest.resolve(None) else None

    def cancel(self, pending: PendingRequest) -> bool:
        """Ends a request if nobody else waits for it; returns false if it goes on, or had ended."""
        pending.n_waiting -= 1
        if pending.n_waiting > 0:
            return False
        with self._lock:
            if self._newest.get(pending.request.document) is pending:
                del self._newest[pending.request.document]
        return pending.resolve(None)

    def take(self, request_id: int) -> tuple[PendingRequest | None, bool]:
        """Returns a request that was answered, if it is known, and whether no other is pending."""
        with self._lock:
            pending = self._by_id.pop(request_id, None)
            return pending, not self._by_id

    def take_all(self) -> list[PendingRequest]:
        """Returns all pending requests, of which none is pending any more."""
        with self._lock:
            pending, self._by_id = list(self._by_id.values()), {}
            self._newest.clear()
        return pending

    def mark_outdated(self) -> None:
        """Lets no answer be used for a later request, except for those who wait meanwhile."""
        with self._lock:
            for pending in self._newest.values():
                pending.is_outdated = True

    def forget_newest(self) -> None:
        """Lets no answer be used for an equal request that comes later."""
        with self._lock:
            self._newest.clear()
