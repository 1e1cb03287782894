"""A client of the real server process: JSON-RPC over its standard input and output."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from training.foundation.errors import PrerequisiteError

START_S = 60.0
_INDEX_S = 300.0
_LOOK_S = 0.1  # between two looks at what is indexed
_EXIT_S = 10.0
_HEALTH = "parrotlet.health"
_SERVER = ".".join([*__name__.split(".")[:-3], "server"])  # the package beside evaluation


class LspClient:
    """One server process; answers are futures, and the server's own messages are kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._n_requests = 0
        self._has_message = asyncio.Event()
        self._end: ConnectionError | None = None  # why no answer can come any more
        self.messages: list[dict[str, Any]] = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
        *,
        root: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Starts ``python -m server`` and waits until its model is ready.

        Args:
            arguments: The server's command line.
            options: Settings, as an editor sends them.
            root: The workspace's folder; None for none.
            environment: Variables to set in the server's environment.

        Raises:
            PrerequisiteError: The server is not ready in time, or reports why it cannot start.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(
                "-E",
                "-P",
                "-m",
                _SERVER,
                *arguments,
            ),  # not from PYTHONPATH or this folder
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        client = cls(process)
        text: dict[str, Any] = {"inlineCompletion": {}, "synchronization": {}}
        capabilities = {"textDocument": text}
        root_uri = None if root is None else root.as_uri()
        first = {"processId": None, "rootUri": root_uri, "capabilities": capabilities}
        if options is not None:
            first["initializationOptions"] = dict(options)
        try:
            await client.request("initialize", first)
            client.notify("initialized", {})
            await client.wait_until_ready()
        except BaseException:
            await client.close()
            raise
        return client

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    async def wait_until_ready(self) -> None:
        """Waits until the server reports that it is ready.

        Raises:
            PrerequisiteError: The server reports an error, or nothing in time.
        """
        end = asyncio.get_running_loop().time() + START_S
        seen = 0
        while True:
            for message in self.messages[seen:]:
                state = message["params"].get("state") if "params" in message else None
                if message.get("method") == "parrotlet/status" and state in {"ready", "error"}:
                    if state == "error":
                        raise PrerequisiteError(
                            f"the server cannot start: {message['params'].get('reason')}"
                        )
                    return
            if self._end is not None:
                raise PrerequisiteError(
                    f"{self._end} before it was ready; see its messages above, or try parrotlet"
                    " health"
                )
            seen = len(self.messages)
            self._has_message.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._has_message.wait(), max(0.001, left))
            except TimeoutError as error:
                raise PrerequisiteError(
                    f"the server is not ready after {START_S:.0f} s; see its messages above, or try"
                    " parrotlet health"
                ) from error

    async def wait_until_indexed(self) -> None:
        """Waits until the server knows the files of its workspace.

        Raises:
            PrerequisiteError: It does not in time.
        """
        end = asyncio.get_running_loop().time() + _INDEX_S
        while asyncio.get_running_loop().time() < end:
            health = await self.request("workspace/executeCommand", {"command": _HEALTH})
            memory = health.get("memory") if isinstance(health, dict) else None
            if isinstance(memory, dict) and memory.get("age_s") is not None:
                return
            await asyncio.sleep(_LOOK_S)
        raise PrerequisiteError(
            f"the server has not indexed the workspace within {_INDEX_S:.0f} s; see its messages"
            " above, or leave --workspace out"
        )

    def send_request(self, method: str, params: Any) -> tuple[int, asyncio.Future[Any]]:
        """Sends a request; returns its id, and a future of its result or error object.

        The future has a ``ConnectionError`` if the server has exited, or does before it answers.
        """
        self._n_requests += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._end is not None:
            _fail(future, self._end)
        else:
            self._pending[self._n_requests] = future
            self._send({"id": self._n_requests, "method": method, "params": params})
        return self._n_requests, future

    async def request(self, method: str, params: Any) -> Any:
        """Sends a request and waits for its result.

        Raises:
            ConnectionError: The server has exited.
        """
        return await self.send_request(method, params)[1]

    def notify(self, method: str, params: Any) -> None:
        """Sends a notification."""
        self._send({"method": method, "params": params})

    def cpu_s(self) -> float | None:
        """Returns the CPU time of server and worker so far; None if the server has exited."""
        try:
            server = psutil.Process(self.pid)
            times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
        except psutil.Error:
            return None
        return float(sum(time.user + time.system for time in times))

    async def close(self) -> None:
        """Shuts the server down and waits until its process has ended."""
        try:
            await asyncio.wait_for(self.request("shutdown", None), _EXIT_S)
            self.notify("exit", None)
            await asyncio.wait_for(self._process.wait(), _EXIT_S)
        except (TimeoutError, ConnectionError):
            with contextlib.suppress(ProcessLookupError):  # it has exited
                self._process.kill()
            await self._process.wait()
        self._reader.cancel()
        await asyncio.wait([self._reader])
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _send(self, message: dict[str, Any]) -> None:
        if self._end is not None:
            return
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)

    async def _read(self) -> None:
        """Reads messages until the server exits, or sends something else."""
        end = ConnectionError("the server has exited")
        try:
            while (message := await self._read_message()) is not None:
                self._dispatch(message)
        except asyncio.IncompleteReadError:
            pass  # it has exited while it wrote
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            end = ConnectionError(f"the server has sent what is no message ({error!r:.80})")
        finally:
            self._end = end
            self._has_message.set()
            for future in self._pending.values():
                _fail(future, end)
            self._pending.clear()

    async def _read_message(self) -> dict[str, Any] | None:
        """Returns the next message; None if the server has exited."""
        stream = self._process.stdout
        assert stream is not None
        length = 0
        while line := (await stream.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: dict[str, Any] | None = None
        if length:
            message = json.loads(await stream.readexactly(length))
        return message

    def _dispatch(self, message: dict[str, Any]) -> None:
        future = self._pending.pop(message["id"], None) if "method" not in message else None
        if future is not None and not future.done():
            future.set_result(message.get("result", message.get("error")))
        elif "method" in message:
            self.messages.append(message)
            self._has_message.set()
            if "id" in message:  # a request from the server; null answers all of them
                self._send({"id": message["id"], "result": None})


def _fail(future: asyncio.Future[Any], error: ConnectionError) -> None:
    """Ends a future by an error, of which asyncio prints nothing if nobody waits for it."""
    if not future.done():
        future.set_exception(error)
        future.exception()
