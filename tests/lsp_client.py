"""A bare client for tests: real JSON-RPC over the pipes of a real server process."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time

import psutil

REPLY_TIMEOUT_S = 60.0


class Client:
    """Speaks to one server; every message from it is kept in ``seen``."""

    def __init__(self, *arguments, command=(sys.executable, "-m", "server")):
        self.process = subprocess.Popen(
            [*map(str, command), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.seen = []
        self._opened = []  # URIs of documents that were not closed
        self.configuration = None  # what is answered to workspace/configuration
        self._write_lock = threading.Lock()
        self.stderr = b""
        self._arrived = queue.Queue()
        self._next_id = 0
        self._threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._drain, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def initialize(
        self, *, encodings=None, options=None, has_inline=True, root=None, has_progress=False
    ):
        text = {"inlineCompletion": {"dynamicRegistration": False}} if has_inline else {}
        capabilities = {"textDocument": text}
        if encodings:
            capabilities["general"] = {"positionEncodings": encodings}
        if self.configuration is not None:
            capabilities["workspace"] = {"configuration": True}
        if has_progress:
            capabilities["window"] = {"workDoneProgress": True}
        capabilities["notebookDocument"] = {"synchronization": {}}
        root_uri = None if root is None else root.as_uri()
        params = {"processId": None, "rootUri": root_uri, "capabilities": capabilities}
        if options is not None:
            params["initializationOptions"] = options
        result = self.request("initialize", params)["result"]
        self.notify("initialized", {})
        return result

    def open(self, uri, text):
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        self._opened.append(uri)

    def close_documents(self):
        """Closes what was opened, for the next test that shares the server."""
        while self._opened:
            self.notify("textDocument/didClose", {"textDocument": {"uri": self._opened.pop()}})

    def insert(self, uri, version, line, column, text):
        at = {"line": line, "character": column}
        change = {"range": {"start": at, "end": at}, "text": text}
        document = {"uri": uri, "version": version}
        self.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    def ask(self, uri, line, column, **context):
        """Sends an inlineCompletion request and returns its id."""
        return self.send(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": column},
                "context": {"triggerKind": 2, **context},
            },
        )

    def items(self, uri, line, column, **context):
        return self.reply(self.ask(uri, line, column, **context))["result"]["items"]

    def request(self, method, params):
        return self.reply(self.send(method, params))

    def send(self, method, params):
        self._next_id += 1
        self.write({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        return self._next_id

    def notify(self, method, params):
        self.write({"jsonrpc": "2.0", "method": method, "params": params})

    def write(self, message):
        self.write_raw(json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def write_raw(self, body):
        with self._write_lock:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self.process.stdin.flush()

    def command(self, name, *arguments):
        params = {"command": name, "arguments": list(arguments)}
        return self.request("workspace/executeCommand", params)["result"]

    def reply(self, msg_id):
        return self.wait(lambda m: m.get("id") == msg_id and "method" not in m)

    def wait_for_state(self, *states, skip=0):
        def is_it(message):
            return (
                message.get("method") == "parrotlet/status" and message["params"]["state"] in states
            )

        return self.wait(is_it, skip=skip)["params"]

    def wait(self, is_wanted, *, skip=0):
        """Returns the first message, past or to come, for which ``is_wanted`` holds.

        The first ``skip`` messages of ``seen`` do not count.
        """
        deadline = time.monotonic() + REPLY_TIMEOUT_S
        looked_at = skip
        while True:
            for message in self.seen[looked_at:]:
                looked_at += 1
                if is_wanted(message):
                    return message
            try:
                self.seen.append(self._arrived.get(timeout=deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such message came; stderr: {self.stderr!r}") from None

    def worker_pid(self):
        """The process that runs the model."""
        (worker,) = psutil.Process(self.process.pid).children()
        return worker.pid

    @contextlib.contextmanager
    def worker_stopped(self):
        """The model answers nothing while this lasts, and then everything in order."""
        worker = psutil.Process(self.worker_pid())
        worker.suspend()
        try:
            yield
        finally:
            worker.resume()

    def leave(self):
        """Says goodbye as the protocol wants; returns the exit code."""
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.process.wait(30)

    def _read(self):
        stream = self.process.stdout
        while True:
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                assert name in {b"Content-Length", b"Content-Type"}, line
                length = int(value) if name == b"Content-Length" else length
            if not length:
                return
            message = json.loads(stream.read(length))
            if message.get("method") == "workspace/configuration":
                result = [self.configuration for _ in message["params"]["items"]]
                self.write({"jsonrpc": "2.0", "id": message["id"], "result": result})
            if message.get("method") == "window/workDoneProgress/create":
                self.write({"jsonrpc": "2.0", "id": message["id"], "result": None})
            self._arrived.put(message)

    def _drain(self):
        for line in self.process.stderr:
            self.stderr += line


def events(log):
    """What the log holds; nothing if no request has ended yet."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().splitlines()]


def place(text, behind):
    """Line and column right behind the first occurrence of ``behind`` (ASCII text)."""
    before = text[: text.index(behind) + len(behind)]
    return before.count("\n"), len(before) - before.rfind("\n") - 1
