"""A model elsewhere, behind OpenAI's ``/v1/completions``: vLLM, TGI, llama.cpp's server, Ollama.

So that a team serves one large model to all its editors. Text leaves the machine, to the address
that the user's own settings name and to no other.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from server.backends.backend import Order, WriterAwayError
from server.backends.circuit_breaker import Breaker
from server.backends.fim_templates import Template, template_of
from server.backends.model_store import expanded
from server.backends.sse import RemoteError, streamed
from server.engine.generation_request import Decoding, Ending, Written
from server.settings import RemoteSettings
from server.suggestion.confidence import Calibration
from training.artifact.code_reference import CodeReference
from training.foundation.errors import ArtifactError, ConfigError

_CHARS_PER_TOKEN = 3  # of code, fewer than any tokenizer makes of it
_REFUSED = (400, 422)  # what servers say to a field they do not know


class RemoteWriter:
    """Asks one server.

    Raises:
        ConfigError: The address is none of http.
        ArtifactError: The tokenizer cannot be read.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        if not settings.url.startswith(("http://", "https://")):
            raise ConfigError(
                f"remote.url is '{settings.url}'; it must start with http:// or https://"
            )
        root = settings.url.rstrip("/")
        self._url = f"{root if root.endswith('/v1') else root + '/v1'}/completions"
        self._settings = settings
        self._breaker = Breaker()
        self._template: Template | None = None
        self._tokenizer: Tokenizer | None = None
        if settings.tokenizer:
            folder = expanded(settings.tokenizer)
            self._template = template_of(folder)
            self._tokenizer = _tokenizer(folder)
        self._takes_suffix = not settings.tokenizer  # until the server refuses it

    @property
    def context_tokens(self) -> int:
        """As the settings say."""
        return self._settings.context_tokens

    @property
    def calibration(self) -> Calibration | None:
        """None: nothing is known of a model elsewhere."""
        return None

    def about(self) -> dict[str, object]:
        """Returns what is asked, and how."""
        how = "none"
        if self._template is not None:
            how = "template"
        elif self._takes_suffix:
            how = "suffix"
        return {"url": self._url, "model": self._settings.model, "infilling": how}

    def count(self, text: str) -> int:
        """Returns how many tokens a line has, roughly if the tokenizer is not known."""
        if self._tokenizer is None:
            return 1 + len(text) // _CHARS_PER_TOKEN
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def room(self, max_new_tokens: int) -> int:
        """Returns the most tokens of a window that leaves room for ``max_new_tokens``.

        Raises:
            ArtifactError: There is next to none.
        """
        room = self._settings.context_tokens - max_new_tokens - 8  # sentinels
        if room < 1:
            raise ArtifactError(
                f"remote.context_tokens is {self._settings.context_tokens}, too few for"
                f" {max_new_tokens} new tokens; set it to the context length of the remote model"
            )
        return room

    def source_of(self, head: str, text: str) -> CodeReference | None:
        """Returns None: nobody here knows what a model elsewhere was trained on."""
        del head, text
        return None

    def write(self, order: Order) -> Decoding:
        """Writes behind a window's prefix.

        Raises:
            WriterAwayError: The server is away, or is left alone for a while since it was.
        """
        if self._breaker.left_s:
            raise WriterAwayError(
                f"the remote server {self._url} is unavailable; next attempt in"
                f" {self._breaker.left_s:.0f} s",
                is_new=False,
            )
        try:
            outcome = self._asked(order)
        except RemoteError as error:
            if self._takes_suffix and error.status in _REFUSED:
                self._takes_suffix = False
                return self.write(order)
            self._breaker.failed()
            raise WriterAwayError(f"the remote server {self._url} {error}", is_new=True) from error
        self._breaker.succeeded()
        return outcome

    def _asked(self, order: Order) -> Decoding:
        started = time.perf_counter()
        body, owed = self._body(order)
        answers = [_Answer(owed=owed.encode()) for _ in range(order.n_sequences)]
        outcome = Decoding(
            written=[answer.written for answer in answers],
            prompt_tokens=self.count(str(body["prompt"])),
            reused_tokens=0,
        )
        events = streamed(
            self._url,
            body,
            self._headers(),
            timeout_s=self._settings.timeout_s,
            should_stop=order.should_stop,
        )
        for event in events:
            for choice in event.get("choices") or ():
                index = choice.get("index", 0)
                if index in range(len(answers)) and choice.get("text"):
                    outcome.first_token_s = outcome.first_token_s or time.perf_counter() - started
                    outcome.new_tokens += 1
                    answers[index].take(choice, order)
            if all(answer.written.ending is not None for answer in answers):
                break
        events.close()  # type: ignore[attr-defined]  # a generator, which closes the connection
        is_stopped = order.should_stop is not None and order.should_stop()
        for answer in answers:
            answer.end(is_stopped=is_stopped)
        return outcome

    def _body(self, order: Order) -> tuple[dict[str, Any], str]:
        """Returns the request, and the white space that what is written must begin with."""
        window = order.window
        before = window.context + window.prefix
        prefix = before.rstrip(" \t")  # no model has seen a text end so
        owed = before[len(prefix) :]
        body: dict[str, Any] = {
            "model": self._settings.model,
            "max_tokens": order.max_new_tokens,
            "temperature": order.sampling.temperature,
            "top_p": order.sampling.top_p,
            "n": order.n_sequences,
            "logprobs": 1,
            "stream": True,
            "prompt": prefix,
        }
        if order.sampling.temperature:
            body["seed"] = order.sampling.seed
        if self._template is not None and window.suffix.strip():
            body["prompt"] = self._template.prompt(prefix, window.suffix)
            body["stop"] = list(self._template.ends[:4])
        elif self._takes_suffix and window.suffix.strip():
            body["suffix"] = window.suffix
        return body, owed

    def _headers(self) -> Mapping[str, str]:
        key = os.environ.get(self._settings.key_variable)
        return {"Authorization": f"Bearer {key}"} if key else {}


class _Answer:
    """One continuation as it comes in."""

    def __init__(self, *, owed: bytes) -> None:
        self._owed = owed
        self.written = Written()

    def take(self, choice: Mapping[str, Any], order: Order) -> None:
        """Adds a piece."""
        written = self.written
        if written.ending is not None:
            return
        piece = str(choice["text"]).encode("utf-8", "replace")
        n_paid = 0
        while n_paid < min(len(piece), len(self._owed)) and piece[n_paid] == self._owed[n_paid]:
            n_paid += 1
        if self._owed and n_paid < min(len(piece), len(self._owed)):
            written.ending = Ending.END_OF_TEXT  # it goes on otherwise than what stands there
            return
        self._owed = self._owed[n_paid:]
        written.text += piece[n_paid:]
        written.ends.append(len(written.text))
        written.log_probs.append(_log_prob(choice))
        if choice.get("finish_reason") == "length":
            written.ending = Ending.MAX_TOKENS
        if order.is_finished is not None and written.text and order.is_finished(written.text):
            written.ending = Ending.FINISHED
        elif order.is_hopeless is not None and order.is_hopeless(written):
            written.ending = Ending.HOPELESS

    def end(self, *, is_stopped: bool) -> None:
        """Says how it ended, if that is not known yet."""
        if is_stopped:
            self.written.ending = Ending.CANCELLED
        elif self.written.ending is None:
            self.written.ending = Ending.END_OF_TEXT


def _log_prob(choice: Mapping[str, Any]) -> float:
    """Returns a piece's log-probability in nats; 0, as if certain, if the server does not tell."""
    told = choice.get("logprobs")
    values = told.get("token_logprobs") if isinstance(told, Mapping) else None
    if not isinstance(values, list):
        return 0.0
    return float(sum(v for v in values if isinstance(v, (int, float))))


def _tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:  # the library raises nothing narrower
        raise ArtifactError(
            f"{path / 'tokenizer.json'} is not a valid tokenizer; download the model's tokenizer"
            " again"
        ) from error
