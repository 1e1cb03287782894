"""Generates samples with a server of OpenAI's ``/v1/completions``: vLLM, llama.cpp, TGI, Ollama."""

import time
from collections.abc import Mapping
from typing import Any

from evaluation.generators.generator import Generation, problem_seed, stop_strings
from evaluation.judge.verdict import MAX_PROGRAM_CHARS
from evaluation.problems.problem import Problem
from server.backends.completions_client import CompletionsClient, CompletionsError
from server.completer import cut_before_stop
from server.settings import RemoteSettings
from training.foundation.errors import PrerequisiteError

TIMEOUT_S = 120.0
TRIES = 6
FIRST_WAIT_S = 0.5  # and twice as long each time
MAX_RETRY_S = 180.0  # a server that has been silent for so long is not asked again
MAX_STOPS = 4  # OpenAI's limit; all stop strings are looked for here too
KEY_VARIABLE = RemoteSettings().key_variable
_TEMPORARY = {None, 408, 409, 425, 429, 500, 502, 503, 504}  # None: it cannot be reached
_OK = 200


class ApiGenerator:
    """Generates by asking a server.

    Args:
        url: The server's root, or its ``/v1``.
        model: The server's name for its model.
        key_variable: The environment variable that holds the API key.

    Raises:
        ConfigError: The URL does not start with http:// or https://.
    """

    def __init__(self, url: str, model: str, *, key_variable: str = KEY_VARIABLE) -> None:
        self._client = CompletionsClient(
            url, option="--url", key_variable=key_variable, timeout_s=TIMEOUT_S
        )
        self._identity = {"model": model, "server": self._client.url}

    @property
    def identity(self) -> Mapping[str, str]:
        """The server's URL and its name for the model."""
        return self._identity

    def generate(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from ``first`` on; asks again while the server returns too few.

        Raises:
            PrerequisiteError: The server cannot be reached, or refuses.
        """
        texts: list[str] = []
        n_wanted = generation.n - first
        stops = stop_strings(problem, generation)
        while len(texts) < n_wanted:
            seed = problem_seed(generation.seed, f"{problem.task_id}#{first + len(texts)}")
            body: dict[str, Any] = {
                "model": self._identity["model"],
                "prompt": problem.prompt,
                "n": n_wanted - len(texts),
                "max_tokens": generation.max_new_tokens,
                "temperature": generation.temperature,
                "top_p": generation.top_p,
                "seed": seed % 2**31,
            }
            if problem.suffix:
                body["suffix"] = problem.suffix
            if stops:
                body["stop"] = list(stops[:MAX_STOPS])
            texts += [cut_before_stop(text, stops) for text in self._complete(body)]
        return texts[:n_wanted]

    def _complete(self, body: Mapping[str, Any]) -> list[str]:
        choices = self._request(body).get("choices")
        choices = choices if isinstance(choices, list) else []
        found = [choice.get("text") if isinstance(choice, dict) else None for choice in choices]
        texts = [text for text in found if isinstance(text, str)]
        if not texts or len(texts) < len(found):
            raise self._not_completions("no list of 'choices' with a string 'text' each")
        if max(map(len, texts)) > MAX_PROGRAM_CHARS:
            raise self._not_completions(f"a text of over {MAX_PROGRAM_CHARS} characters")
        return texts

    def _request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        wait_s, started_s = FIRST_WAIT_S, time.monotonic()
        for n_left in reversed(range(TRIES)):
            try:
                return self._client.complete(body)
            except CompletionsError as error:
                if error.status == _OK:
                    raise self._not_completions(str(error)) from error
                is_over = not n_left or time.monotonic() > started_s + MAX_RETRY_S
                if error.is_lasting or error.status not in _TEMPORARY or is_over:
                    raise PrerequisiteError(
                        f"{self._client.url} {error}; samples so far are kept, fix the problem and"
                        " run the same command to resume"
                    ) from error
            time.sleep(wait_s)
            wait_s *= 2
        raise AssertionError("the last try returns or raises")

    def _not_completions(self, found: str) -> PrerequisiteError:
        return PrerequisiteError(
            f"{self._client.url} does not answer with completions ({found}); check --url and"
            " --model"
        )
