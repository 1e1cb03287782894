"""A server with OpenAI's ``/v1/completions`` (vLLM, llama.cpp, TGI, Ollama) as a writer."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from evaluation.generators.generator import before_stop, problem_seed, stops_of
from evaluation.passk.config import Generation
from evaluation.problems.problem import Problem
from training.foundation.errors import ConfigError, PrerequisiteError

TIMEOUT_S = 120.0
TRIES = 6
FIRST_WAIT_S = 0.5  # and twice as long each time
MAX_ANSWER_BYTES = 64 << 20
MAX_STOPS = 4  # OpenAI's limit; all stops are looked for here too
KEY_VARIABLE = "OPENAI_API_KEY"  # sent if it is set
_TEMPORARY = {408, 409, 425, 429, 500, 502, 503, 504}


class CompletionsWriter:
    """Writes by asking a server.

    Args:
        url: The server's root, or its ``/v1``.
        model: What the server calls the model.

    Raises:
        ConfigError: The URL does not start with http:// or https://.
    """

    def __init__(self, url: str, model: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"--url is {url!r}, but must start with http:// or https://")
        root = url.rstrip("/")
        self._url = f"{root if root.endswith('/v1') else root + '/v1'}/completions"
        self._identity = {"model": model, "server": self._url}

    @property
    def identity(self) -> Mapping[str, str]:
        """The server's address and its name for the model."""
        return self._identity

    def write(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from ``first`` on, asked for until there are enough.

        Raises:
            PrerequisiteError: The server is away, or refuses.
        """
        texts: list[str] = []
        wanted = generation.n - first
        stops = stops_of(problem, generation)
        while len(texts) < wanted:
            seed = problem_seed(generation.seed, f"{problem.task_id}#{first + len(texts)}")
            asked = {
                "model": self._identity["model"],
                "prompt": problem.prompt,
                "n": wanted - len(texts),
                "max_tokens": generation.max_new_tokens,
                "temperature": generation.temperature,
                "top_p": generation.top_p,
                "seed": seed % 2**31,
            }
            if problem.suffix:
                asked["suffix"] = problem.suffix
            if stops:
                asked["stop"] = list(stops[:MAX_STOPS])
            texts += [before_stop(text, stops) for text in self._texts(asked)]
        return texts[:wanted]

    def _texts(self, asked: dict[str, Any]) -> list[str]:
        answer = self._post(json.dumps(asked).encode())
        try:
            texts = [choice["text"] for choice in json.loads(answer)["choices"]]
        except (ValueError, KeyError, TypeError) as error:
            raise PrerequisiteError(
                f"{self._url} does not answer with completions ({error!r}); check --url and --model"
            ) from error
        if not texts or not all(isinstance(text, str) for text in texts):
            raise PrerequisiteError(
                f"{self._url} does not answer with completions; check --url and --model"
            )
        return texts

    def _post(self, body: bytes) -> bytes:
        wait_s = FIRST_WAIT_S
        for left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(self._request(body), timeout=TIMEOUT_S) as answer:  # noqa: S310 - http only, see __init__
                    data: bytes = answer.read(MAX_ANSWER_BYTES)
                    return data
            except urllib.error.HTTPError as error:
                if error.code not in _TEMPORARY or not left:
                    said = error.read(300).decode("utf-8", "replace")
                    raise PrerequisiteError(
                        f"{self._url} answered {error.code} ({said}); samples so far are kept, fix"
                        " the problem and run the same command to resume"
                    ) from error
            except OSError as error:
                if not left:
                    raise PrerequisiteError(
                        f"cannot reach {self._url} ({error}); samples so far are kept, start the"
                        " server and run the same command to resume"
                    ) from error
            time.sleep(wait_s)
            wait_s *= 2
        raise AssertionError("the last try returns or raises")

    def _request(self, body: bytes) -> urllib.request.Request:
        headers = {"Content-Type": "application/json"}
        if os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {os.environ[KEY_VARIABLE]}"
        return urllib.request.Request(self._url, data=body, headers=headers)  # noqa: S310 - http
