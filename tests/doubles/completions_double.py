"""A server with OpenAI's ``/v1/completions`` that runs a real artifact, in the manners of others.

Like vLLM, it takes ids and returns log-probabilities with alternatives. Like ``transformers
serve``, it takes text only, returns no log-probabilities and knows a bias by another name. Or it
does the least that the protocol asks for. Like all of them it knows neither healing nor quality
tokens.
"""

import contextlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch

from server.engine.network import Network
from training.artifact.directory import load_artifact
from training.artifact.special_tokens import SPECIAL_TOKENS

MANNERS = ("vllm", "transformers", "plain")
_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIAL_TOKENS)) + ")")


class ArtifactServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, artifact, manner):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.artifact, self.manner = artifact, manner
        self.network = Network(artifact.config, artifact.weights, "float32")
        self.asked, self.is_refusing = [], False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        """A client that closes its connection is what is tested."""

    def encode(self, prompt):
        if isinstance(prompt, list):
            return prompt
        tokenizer, ids = self.artifact.tokenizer, []
        for part in _SPECIAL.split(prompt):
            ids += (
                [tokenizer.special_id(part)] if part in SPECIAL_TOKENS else tokenizer.encode(part)
            )
        return ids

    def find_bias(self, body):
        if self.manner == "vllm":
            return {int(token): bias for token, bias in body.get("logit_bias", {}).items()}
        if self.manner == "transformers" and "generation_config" in body:
            config = json.loads(body["generation_config"])
            return {ids[0]: bias for ids, bias in config["sequence_bias"]}
        return {}

    @torch.inference_mode()
    def generate(self, ids, body):
        """Yields each token's bytes, its log-probability and the likeliest; None at the end."""
        bias, cache = self.find_bias(body), self.network.new_cache()
        table = self.artifact.tokenizer.byte_table
        for _ in range(body["max_tokens"]):
            hidden = self.network.extend(torch.tensor([ids]), cache)
            logits = self.network.logits(hidden[:, -1])[0]
            log_probs = logits.log_softmax(-1)
            for token, value in bias.items():
                logits[token] += value
            token = int(logits.argmax())
            if body.get("temperature"):
                probabilities = torch.softmax(logits / body["temperature"], -1)
                token = int(torch.multinomial(probabilities, 1))
            best = log_probs.topk(min(20, body.get("logprobs") or 1))
            top = dict(zip(best.indices.tolist(), best.values.tolist(), strict=True))
            yield table[token], float(log_probs[token]), {table[i]: v for i, v in top.items()}
            if not table[token]:
                return
            ids = [token]


class _Handler(BaseHTTPRequestHandler):
    server: ArtifactServer

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append(body)
        if server.is_refusing or (server.manner != "vllm" and not isinstance(body["prompt"], str)):
            self.send_response(400)
            self.end_headers()
            self.wfile.write(b'{"detail": "prompt must be a string."}')
            return
        self.send_response(200)
        self.end_headers()
        n = 1 if server.manner == "transformers" else body["n"]
        for index in range(n):
            tokens = list(server.generate(server.encode(body["prompt"]), body))
            if not body["stream"]:
                choice = self.describe(index, b"".join(t for t, _, _ in tokens), 0.0, {})
                self.wfile.write(json.dumps({"choices": [choice]}).encode())
                return
            for token in tokens:
                self.send_event(self.describe(index, *token))
            ended = bool(tokens) and not tokens[-1][0]
            end = {"index": index, "text": "", "finish_reason": "stop" if ended else "length"}
            self.send_event(end)
        self.wfile.write(b"data: [DONE]\n\n")

    def describe(self, index, token, log_prob, top):
        text = token.decode("utf-8", "replace")
        choice = {"index": index, "text": text, "logprobs": None, "finish_reason": None}
        if self.server.manner != "transformers":
            names = {t.decode("utf-8", "replace"): value for t, value in top.items()}
            choice["logprobs"] = {"tokens": [text], "token_logprobs": [log_prob]}
            if self.server.manner == "vllm":
                choice["logprobs"]["top_logprobs"] = [names]
                choice["finish_reason"] = None if token else "stop"
        return choice

    def send_event(self, choice):
        self.wfile.write(b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve_artifact(folder, manner):
    """Serves an artifact while the block runs."""
    server = ArtifactServer(load_artifact(folder), manner)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
