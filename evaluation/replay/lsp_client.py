"""A client of the server's real process: JSON-RPC over its standard input and output."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

import psutil

from training.foundation.errors import PrerequisiteError

START_S = 60.0
_EXIT_S = 10.0
_SERVER = ".".join([*__name__.split(".")[:-3], "server"])  # beside the package of evaluation


class Client:
    """One server process. Answers to requests are futures; what the server sends is kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._n_requests = 0
        self._state = asyncio.Event()
        self.told: list[dict[str, Any]] = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, arguments: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> Self:
        """Starts ``python -m server`` and waits until its model is ready.

        Args:
            arguments: Of the command line.
            options: Settings, as an editor sends them.

        Raises:
            PrerequisiteError: It is not ready in time, or says why it cannot be.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-E", "-P", "-m", _SERVER, *arguments),  # nothing of PYTHONPATH or this directory
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        client = cls(process)
        text: dict[str, Any] = {"inlineCompletion": {}, "synchronization": {}}
        capabilities = {"textDocument": text}
        first = {"processId": None, "rootUri": None, "capabilities": capabilities}
        if options is not None:
            first["initializationOptions"] = dict(options)
        await client.request("initialize", first)
        client.notify("initialized", {})
        await client.wait_until_ready()
        return client

    @property
    def pid(self) -> int:
        """Of the server."""
        return self._process.pid

    async def wait_until_ready(self) -> None:
        """Returns when the server says that it is.

        Raises:
            PrerequisiteError: It says that it is not, or nothing.
        """
        end = asyncio.get_running_loop().time() + START_S
        seen = 0
        while True:
            for message in self.told[seen:]:
                state = message["params"].get("state") if "params" in message else None
                if message.get("method") == "parrotlet/status" and state in {"ready", "error"}:
                    if state == "error":
                        raise PrerequisiteError(
                            f"the server cannot start: {message['params'].get('reason')}"
                        )
                    return
            seen = len(self.told)
            self._state.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._state.wait(), max(0.001, left))
            except TimeoutError as error:
                raise PrerequisiteError(
                    f"the server is not ready after {START_S:.0f} s; see its messages above, or try"
                    " parrotlet health"
                ) from error

    def send_request(self, method: str, params: Any) -> tuple[int, asyncio.Future[Any]]:
        """Sends a request; returns its number, and a future with its result or error object."""
        self._n_requests += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._n_requests] = future
        self._send({"id": self._n_requests, "method": method, "params": params})
        return self._n_requests, future

    async def request(self, method: str, params: Any) -> Any:
        """Sends a request and waits for its result."""
        return await self.send_request(method, params)[1]

    def notify(self, method: str, params: Any) -> None:
        """Sends the server a notification."""
        self._send({"method": method, "params": params})

    def cpu_s(self) -> float | None:
        """Returns the server's processor time so far, its worker's with it; None if it is gone."""
        try:
            server = psutil.Process(self.pid)
            times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
        except psutil.Error:
            return None
        return float(sum(time.user + time.system for time in times))

    async def close(self) -> None:
        """Says goodbye and waits for the end of the process."""
        try:
            await asyncio.wait_for(self.request("shutdown", None), _EXIT_S)
            self.notify("exit", None)
            await asyncio.wait_for(self._process.wait(), _EXIT_S)
        except (TimeoutError, ConnectionError):
            self._process.kill()
            await self._process.wait()
        self._reader.cancel()
        await asyncio.wait([self._reader])
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)

    async def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while True:
            length = 0
            while line := (await stream.readline()).strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not length:
                self._end()
                return
            self._take(json.loads(await stream.readexactly(length)))

    def _take(self, message: dict[str, Any]) -> None:
        future = self._waiting.pop(message["id"], None) if "method" not in message else None
        if future is not None and not future.done():
            future.set_result(message.get("result", message.get("error")))
        elif "method" in message:
            self.told.append(message)
            self._state.set()
            if "id" in message:  # a request of the server: nothing here answers more than null
                self._send({"id": message["id"], "result": None})

    def _end(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the server has exited"))
