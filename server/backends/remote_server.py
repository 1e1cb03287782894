"""A remote model behind OpenAI's ``/v1/completions``: vLLM, TGI, llama.cpp's server, Ollama.

It lets a team serve one large model to all its editors. Text leaves the machine, to the address
that the user's own settings name and to no other.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from server.backends.backend import BackendInfo, BackendUnavailableError
from server.backends.circuit_breaker import CircuitBreaker
from server.backends.completions_client import CompletionsClient, CompletionsError
from server.backends.fim_templates import FimTemplate, read_template
from server.backends.model_store import expand_user
from server.engine.generation_request import (
    FinishReason,
    GeneratedSequence,
    GenerationRequest,
    GenerationResult,
    TokenUsage,
)
from server.prompt.window import Window
from server.settings import RemoteSettings
from server.suggestion.confidence import Calibration
from training.artifact.code_reference import CodeReference
from training.artifact.tokenizer_pipeline import MAX_TOKENIZER_BYTES, read_pipeline
from training.foundation.errors import ArtifactError
from training.foundation.foreign_text import encode_text, read_bounded

if TYPE_CHECKING:  # a remote server needs none of their libraries
    from server.memory.token_memory import TokenMemory
    from server.workspace.sources.source_files import SourceFile
    from server.workspace.sources.token_index import TokenIndex
    from server.workspace.sources.workspace_memory import WorkspaceMemory

_CHARS_PER_TOKEN = 3  # fewer than any tokenizer needs for code
_SENTINEL_TOKENS = 8  # reserved for a template
_MAX_STOPS = 4  # OpenAI's limit
REFUSED = (400, 422)  # how servers answer a field that they do not know, or too long a prompt
_MAX_SUFFIX_REFUSALS = 3  # in a row, while the same request without a suffix is taken


class RemoteServer:
    """Generates by asking one server.

    Raises:
        ConfigError: The URL does not start with http:// or https://.
        ArtifactError: The tokenizer cannot be read.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        self._client = CompletionsClient(
            settings.url,
            option="remote.url",
            key_variable=settings.key_variable,
            timeout_s=settings.timeout_s,
        )
        self._settings = settings
        self._breaker = CircuitBreaker()
        self._template: FimTemplate | None = None
        self._tokenizer: Tokenizer | None = None
        if settings.tokenizer:
            folder = expand_user(settings.tokenizer)
            self._template = read_template(folder)
            self._tokenizer = _load_tokenizer(folder)
        self._takes_suffix = not settings.tokenizer  # until the server refuses it
        self._n_suffix_refusals = 0
        self._last_refusal = ""

    @property
    def context_tokens(self) -> int:
        """The context length that the settings state."""
        return self._settings.context_tokens

    @property
    def calibration(self) -> Calibration | None:
        """None: nothing is known about a remote model."""
        return None

    def describe(self) -> BackendInfo:
        """Returns where requests go and how they are laid out."""
        infilling = "none"
        if self._template is not None:
            infilling = "template"
        elif self._takes_suffix:
            infilling = "suffix"
        return BackendInfo(url=self._client.url, model=self._settings.model, infilling=infilling)

    def count_tokens(self, text: str) -> int:
        """Returns how many tokens a line has; an estimate if the tokenizer is not known."""
        if self._tokenizer is None:
            return 1 + len(text) // _CHARS_PER_TOKEN
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def prompt_room(self, max_new_tokens: int) -> int:
        """Returns how many tokens a window may have, with room for new ones after it.

        Raises:
            ArtifactError: There are none.
        """
        room = self._settings.context_tokens - max_new_tokens - _SENTINEL_TOKENS
        if room < 1:
            raise ArtifactError(
                f"remote.context_tokens is {self._settings.context_tokens}, too few for"
                f" {max_new_tokens} new tokens; set it to the context length of the remote model"
            )
        return room

    def find_source(
        self, head: str, text: str, document: Sequence[str], memory: "TokenMemory | None"
    ) -> CodeReference | None:
        """Returns None: what a remote model was trained on is not known."""
        del head, text, document, memory
        return None

    def index_files(self, files: "Iterable[SourceFile]") -> "TokenIndex | None":  # noqa: ARG002 - a back end's
        """Returns None: the server returns no distributions, which alone can be mixed."""
        return None

    def create_memory(self) -> "WorkspaceMemory | None":
        """Returns None, for the same reason."""
        return None

    def add_unseen(self, memory: "TokenMemory", _: tuple[str, ...]) -> "TokenMemory":
        """Returns the memory: a server uses none."""
        return memory

    def read_ahead(
        self,
        window: Window,
        unseen: tuple[str, ...],
        max_new_tokens: int,
        should_stop: Callable[[], bool],
    ) -> int:
        """Reads nothing: a server has caches of its own."""
        del window, unseen, max_new_tokens, should_stop
        return 0

    def generate(
        self,
        window: Window,
        request: GenerationRequest,
        lookup_texts: Sequence[str] = (),  # noqa: ARG002
        memory: "TokenMemory | None" = None,  # noqa: ARG002
    ) -> GenerationResult:
        """Generates after a window's prefix; ``lookup_texts`` and ``memory`` are of no use here.

        Raises:
            BackendUnavailableError: The server failed, or failed recently and is left alone.
        """
        name = f"the remote server {self._client.url}"
        if self._breaker.remaining_s:
            sentence = f"{name} is unavailable; next attempt in {self._breaker.remaining_s:.0f} s"
            raise BackendUnavailableError(sentence, unquoted=sentence, is_new=False)
        has_suffix = bool(window.suffix.strip()) and self.describe().infilling != "none"
        if not has_suffix and not _find_prompt(window):
            return _continue_nothing(request)
        try:
            result = self._request_or_retry(window, request)
        except CompletionsError as error:
            message, unquoted = f"{name} {error}", f"{name} {error.unquoted}"
            is_new = message != self._last_refusal
            if error.status in REFUSED:  # this request, which says nothing about the next one
                self._last_refusal = message
            else:
                self._breaker.record_failure()
            raise BackendUnavailableError(message, unquoted=unquoted, is_new=is_new) from error
        if _is_answered(result, request):
            self._breaker.record_success()
            self._last_refusal = ""
        return result

    def _request_or_retry(self, window: Window, request: GenerationRequest) -> GenerationResult:
        """Asks, and asks without the suffix if the server refuses; learns whether it takes one."""
        has_suffix = self._takes_suffix and bool(window.suffix.strip())
        try:
            result = self._request(window, request)
        except CompletionsError as error:
            if not has_suffix or error.status not in REFUSED:
                raise
            if not _find_prompt(window):  # which may be at fault as well
                return _continue_nothing(request)
            result = self._request(replace(window, suffix=""), request)
            if _is_answered(result, request):  # the suffix was at fault, or else its length
                self._n_suffix_refusals += 1
                is_named = "suffix" in str(error).lower()
                self._takes_suffix = not is_named and self._n_suffix_refusals < _MAX_SUFFIX_REFUSALS
            return result
        if has_suffix and _is_answered(result, request):
            self._n_suffix_refusals = 0
        return result

    def _request(self, window: Window, request: GenerationRequest) -> GenerationResult:
        started = time.perf_counter()
        body, whitespace = self._build_body(window, request)
        readers = [_SequenceReader(whitespace.encode()) for _ in range(request.n_sequences)]
        usage = TokenUsage(prompt_tokens=self.count_tokens(str(body["prompt"])))
        events = self._client.stream(body, request.should_stop)
        for event in events:
            for index, choice in _list_choices(event):
                if index < len(readers):
                    if choice["text"]:
                        usage.count_new(1, started)
                    readers[index].add(choice, request)
            if all(reader.sequence.finish_reason is not None for reader in readers):
                break
        events.close()  # type: ignore[attr-defined]  # a generator; this closes the connection
        is_cancelled = request.should_stop is not None and request.should_stop()
        return GenerationResult(
            sequences=[reader.finish(is_cancelled=is_cancelled) for reader in readers], usage=usage
        )

    def _build_body(self, window: Window, request: GenerationRequest) -> tuple[dict[str, Any], str]:
        """Returns the request's JSON, and the whitespace that the output must begin with."""
        before = window.context + window.prefix
        prefix = _find_prompt(window)
        body: dict[str, Any] = {
            "model": self._settings.model,
            "max_tokens": request.max_new_tokens,
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "n": request.n_sequences,
            "logprobs": 1,
            "stream": True,
            "prompt": prefix,
        }
        if request.sampling.temperature:
            body["seed"] = request.sampling.seed
        if self._template is not None and window.suffix.strip():
            body["prompt"] = self._template.format_prompt(prefix, window.suffix)
            body["stop"] = list(self._template.ends[:_MAX_STOPS])
        elif self._takes_suffix and window.suffix.strip():
            body["suffix"] = window.suffix
        return body, before[len(prefix) :]


def _find_prompt(window: Window) -> str:
    """Returns the text to continue; models rarely saw one that ends with whitespace."""
    return (window.context + window.prefix).rstrip(" \t")


def _continue_nothing(request: GenerationRequest) -> GenerationResult:
    """Returns what follows an empty prompt: nothing, since servers such as vLLM refuse one."""
    ended = [
        GeneratedSequence(finish_reason=FinishReason.END_OF_TEXT)
        for _ in range(request.n_sequences)
    ]
    return GenerationResult(sequences=ended, usage=TokenUsage())


def _is_answered(result: GenerationResult, request: GenerationRequest) -> bool:
    """Returns whether the server has said anything; a cancelled request may not have reached it."""
    is_cancelled = request.should_stop is not None and request.should_stop()
    return result.usage.new_tokens > 0 or not is_cancelled


class _SequenceReader:
    """One sequence as its pieces arrive.

    Args:
        required_bytes: What the output must begin with; it is not part of the result.
    """

    def __init__(self, required_bytes: bytes) -> None:
        self._required_bytes = required_bytes
        self.sequence = GeneratedSequence()

    def add(self, choice: Mapping[str, Any], request: GenerationRequest) -> None:
        """Appends a piece, which may be empty and say why it is the last, unless it has ended."""
        sequence = self.sequence
        if sequence.finish_reason is None and choice["text"]:
            self._append(choice, request)
        if sequence.finish_reason is None and choice.get("finish_reason") == "length":
            sequence.finish_reason = FinishReason.MAX_TOKENS

    def _append(self, choice: Mapping[str, Any], request: GenerationRequest) -> None:
        sequence = self.sequence
        piece, required = encode_text(choice["text"]), self._required_bytes
        n_compared = min(len(piece), len(required))
        if piece[:n_compared] != required[:n_compared]:
            sequence.finish_reason = FinishReason.END_OF_TEXT  # it does not continue the text
            return
        self._required_bytes = required[n_compared:]
        sequence.text += piece[n_compared:]
        sequence.ends.append(len(sequence.text))
        sequence.log_probs.append(_sum_log_probs(choice))
        if request.is_complete is not None and sequence.text and request.is_complete(sequence.text):
            sequence.finish_reason = FinishReason.COMPLETE
        elif request.is_hopeless is not None and request.is_hopeless(sequence):
            sequence.finish_reason = FinishReason.LOW_CONFIDENCE

    def finish(self, *, is_cancelled: bool) -> GeneratedSequence:
        """Returns the sequence with the reason why it ended."""
        if is_cancelled:
            self.sequence.finish_reason = FinishReason.CANCELLED
        elif self.sequence.finish_reason is None:
            self.sequence.finish_reason = FinishReason.END_OF_TEXT
        return self.sequence


def _list_choices(event: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yields the pieces of text in an event, each with the number of its sequence.

    llama.cpp's server and Ollama end with an empty one that says why.
    """
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        index, text = choice.get("index", 0), choice.get("text")
        if isinstance(index, int) and index >= 0 and isinstance(text, str):
            yield index, choice


def _sum_log_probs(choice: Mapping[str, Any]) -> float:
    """Returns a piece's log-probability in nats; 0, as if certain, if the server sends none."""
    log_probs = choice.get("logprobs")
    values = log_probs.get("token_logprobs") if isinstance(log_probs, Mapping) else None
    if not isinstance(values, list):
        return 0.0
    return float(sum(v for v in values if isinstance(v, (int, float)) and math.isfinite(v)))


def _load_tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    try:
        data = read_bounded(path, MAX_TOKENIZER_BYTES)
        read_pipeline(data)  # the library needs memory for the largest id
        return Tokenizer.from_buffer(data)
    except BaseException as error:  # bare Exception, or a panic, which is none
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise ArtifactError(
            f"{path} is not a valid tokenizer; download the model's tokenizer again"
        ) from error
