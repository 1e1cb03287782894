"""A model that says what it is told, behind the real server: a real ``/v1/completions``."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG_PROB = -0.001  # of whatever it says: it is sure


class ScriptedModel:
    """Serves on the loopback while its ``with`` block lasts.

    Attributes:
        rules: Pairs of what stands before and what is written behind it. Where part of what is
            written stands already, the rest of it is. The first that fits is written, and all that
            fit in turns where several continuations are wanted.
        delay_s: Before each answer.
        prompts: What was asked.
    """

    def __init__(self, rules=()):
        self.rules = list(rules)
        self.delay_s = 0.0
        self.prompts = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that hangs up is no fault
        self._server.model = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def n_asked(self):
        return len(self.prompts)

    @property
    def settings(self):
        """The real server's settings to ask this model and to show whatever it says."""
        return {
            "remote": {"url": self.url},
            "suggestion": {"eagerness": "always"},
            "context": {"workspace_tokens": 0},
        }

    def answers(self, prompt):
        """What may be written behind a prompt, whose white space at the end is not sent."""
        for before, written in self.rules:
            whole = before + written
            for end in range(len(whole) - 1, len(before.rstrip()) - 1, -1):
                if prompt.endswith(whole[:end]):
                    yield whole[end:]
                    break


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        model = self.server.model
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model.prompts.append(asked["prompt"])
        time.sleep(model.delay_s)
        self.send_response(200)
        self.end_headers()
        answers = list(model.answers(asked["prompt"]))
        for index in range(asked.get("n", 1) if answers else 0):
            for line in answers[index % len(answers)].splitlines(keepends=True):
                choice = {"index": index, "text": line, "logprobs": {"token_logprobs": [LOG_PROB]}}
                self.wfile.write(b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode())
                self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass
