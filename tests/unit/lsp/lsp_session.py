"""A session with the real protocol layer, in this process; only the worker is a double."""

import asyncio
import io
import json
from concurrent.futures import Future
from types import SimpleNamespace

from pygls.exceptions import JsonRpcInvalidParams, JsonRpcMethodNotFound

from server.lsp.connection.framing import MessageReader
from server.lsp.connection.message_loop import MessageWriter
from server.lsp.features import create_server
from server.suggestion.result import CompletionResult
from server.worker.status import Status


class SilentService:
    """A service that suggests nothing, unless it is given a ``result``."""

    def __init__(self):
        self.status = Status()
        self.requests = []
        self.result = CompletionResult(reason="nothing")
        self.worker_pid = None
        self.workspace_models = []

    def submit(self, request, *, quiet_s=0.0):
        self.requests.append(request)
        future = Future()
        future.set_result(self.result)
        return SimpleNamespace(future=future, event=None)

    def check_health(self):
        future = Future()
        future.set_result(None)
        return future

    def withhold(self, reason, *, is_asked_for):
        return None

    def event_of(self, pending):
        return None

    def describe(self, stage, reason):
        return None

    def use_workspace_model(self, folder):
        self.workspace_models.append(folder)

    @property
    def uses_workspace_model(self):
        return bool(self.workspace_models and self.workspace_models[-1])

    def ignore(self, *_, **__):
        """Does nothing: what starts, ends or changes a worker."""

    start = change_settings = restart = update_workspace = compute_ahead = ignore
    index_folders = note_file_change = update_document = ignore
    supersede = cancel = close = ignore


class Session:
    """One client and its server; to be used within an event loop."""

    def __init__(self):
        self.service = SilentService()
        self.server = create_server({}, self.service)
        self.errors = []  # that no message may cause
        self.server.report_server_error = self._note
        self._written = io.BytesIO()
        self.server.protocol.set_writer(MessageWriter(self._written, lambda: None))
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.errors.append(context))

    def _note(self, error, source):
        is_refusal = isinstance(error, (JsonRpcMethodNotFound, JsonRpcInvalidParams))
        if not is_refusal and JsonRpcInvalidParams.__name__ not in str(error):
            self.errors.append(error)

    async def initialize(self, **params):
        capabilities = {"textDocument": {"inlineCompletion": {}}}
        answer = await self.request(
            "initialize",
            {"processId": None, "rootUri": None, "capabilities": capabilities, **params},
        )
        await self.send(method="initialized", params={})
        return answer

    async def request(self, method, params=None, msg_id="asked"):
        for answer in await self.send(method=method, params=params, id=msg_id):
            if answer.get("id") == msg_id and "method" not in answer:
                return answer
        raise AssertionError(f"no answer to {method}")

    async def send(self, **message):
        return await self.send_body(json.dumps({"jsonrpc": "2.0", **message}).encode())

    async def send_body(self, body):
        self.server.handle(body)
        return await self.answers()

    async def send_stream(self, data):
        stream = io.BytesIO(data)
        reader = MessageReader(stream.read)
        while (message := reader.next()) is not None and not self.server.protocol.has_exited:
            self.server.handle(message)
        return await self.answers()

    async def answers(self):
        """What the server has written, once it has nothing to do any more."""
        for _ in range(20):
            await asyncio.sleep(0)
        data = self._written.getvalue()
        self._written.seek(0)
        self._written.truncate()
        found, reader = [], MessageReader(io.BytesIO(data).read)
        while (message := reader.next()) is not None:
            found.append(json.loads(message))
        return found

    def state(self, uri):
        """A document's text; None if it is unknown, False if it is not open."""
        document = self.server.documents.get(uri)
        if document is None:
            return False
        return document.text if document.is_known else None
