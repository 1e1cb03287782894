"""A scripted model for the real server: an HTTP server with ``/v1/completions``."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG_PROB = -0.001  # of every token
LONGEST_WAIT_S = 60.0  # after a test that failed before it let the model respond


class ScriptedModel:
    """Listens on the loopback interface inside a ``with`` block.

    Attributes:
        rules: Pairs of a prefix and its continuation. If the prompt ends inside a continuation, its
            rest is returned. The first rule that matches applies; a request for several
            continuations gets all matching ones in turn.
        may_respond: Cleared by a test that wants all responses to wait until it is set again.
        prompts: The prompts so far.
    """

    def __init__(self, rules=()):
        self.rules = list(rules)
        self.may_respond = threading.Event()
        self.may_respond.set()
        self.prompts = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients may disconnect
        self._server.model = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.may_respond.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def n_requests(self):
        return len(self.prompts)

    @property
    def settings(self):
        """Settings with which the real server uses this model and shows everything."""
        return {
            "remote": {"url": self.url},
            "suggestion": {"eagerness": "always"},
            "context": {"workspace_tokens": 0},
        }

    def find_continuations(self, prompt):
        """Yields the continuations of a prompt, whose trailing whitespace is not sent."""
        for prefix, continuation in self.rules:
            whole = prefix + continuation
            for end in range(len(whole) - 1, len(prefix.rstrip()) - 1, -1):
                if prompt.endswith(whole[:end]):
                    yield whole[end:]
                    break


class _Server(ThreadingHTTPServer):
    model: ScriptedModel


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self):
        model = self.server.model
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model.prompts.append(request["prompt"])
        model.may_respond.wait(LONGEST_WAIT_S)
        self.send_response(200)
        self.end_headers()
        continuations = list(model.find_continuations(request["prompt"]))
        for index in range(request.get("n", 1) if continuations else 0):
            for line in continuations[index % len(continuations)].splitlines(keepends=True):
                choice = {"index": index, "text": line, "logprobs": {"token_logprobs": [LOG_PROB]}}
                self.wfile.write(b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode())
                self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass
