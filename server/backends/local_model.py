"""The artifact's model on this machine: lays a window out and has the engine generate."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from math import log

from server.backends.backend import BackendInfo
from server.backends.own_text import find_repeated, index_texts
from server.engine.batched.device import resolve_device, resolve_device_precision
from server.engine.decoder import Decoder
from server.engine.generation_request import (
    GeneratedSequence,
    GenerationRequest,
    GenerationResult,
    Prompt,
)
from server.engine.network import Network
from server.engine.trace import Trace
from server.engine.weights.precision import set_threads
from server.memory.gate import Gate
from server.memory.mixture import Mixture
from server.memory.token_memory import MAX_CONTEXT_TOKENS, TokenMemory
from server.prompt.layout import PromptBuilder
from server.prompt.window import Window
from server.settings import EngineSettings
from server.suggestion.confidence import Calibration, count_first_line
from server.workspace.sources.source_files import SourceFile
from server.workspace.sources.token_index import EncodedFile, TokenIndex, build_token_index
from server.workspace.sources.workspace_memory import WorkspaceMemory
from training.artifact.code_reference import CodeReference
from training.artifact.directory import TOKENIZER_FILE, Artifact
from training.artifact.manifest import COPY_AGAIN
from training.artifact.network.kernel_cache import limit_kernel_caches
from training.foundation.errors import ArtifactError

_MAX_UNSEEN = 4  # of the last request, and of those that are likely to follow
_LEAST_GAIN = log(2)  # nats: with the memory a line is at least twice as likely


class LocalModel:
    """Generates with one artifact; keeps the caches of recent documents."""

    def __init__(self, artifact: Artifact, settings: EngineSettings) -> None:
        limit_kernel_caches()
        threads = set_threads(settings.threads)
        n_parameters = sum(weight.numel() for weight in artifact.weights.values())
        device = resolve_device(
            settings.device, n_parameters=n_parameters, precision=settings.precision
        )
        precision = resolve_device_precision(settings.precision, device)
        self._decoder = Decoder(
            Network(artifact.config, artifact.weights, precision, device),
            artifact.tokenizer.byte_table,
            chunk_tokens=settings.chunk_tokens,
            cache_bytes=settings.cache_mib << 20,
            max_guesses=settings.max_guesses,
            batch_bytes=settings.batch_mib << 20,
        )
        self._prompts = PromptBuilder(artifact, heal_tokens=settings.heal_tokens)
        self._context_tokens = min(artifact.context_tokens, artifact.config.n_positions)
        self._calibration = Calibration.of(artifact.manifest.evaluation)
        self._verbatim = artifact.verbatim
        self._gate = _read_gate(artifact)
        index_unseen = partial(index_texts, tokenizer=artifact.tokenizer)
        self._index_unseen = lru_cache(_MAX_UNSEEN)(index_unseen)
        self._tokenizer = artifact.tokenizer
        self._tokenizer_file = artifact.path / TOKENIZER_FILE
        self._info = BackendInfo(
            parameters=n_parameters,
            tokens_seen=artifact.manifest.training.tokens_seen,
            context_tokens=self._context_tokens,
            device=str(device),
            precision=precision,
            threads=threads if device.type == "cpu" else None,
            knows_its_sources=self._verbatim is not None,
        )

    @property
    def context_tokens(self) -> int:
        """How many tokens the model sees."""
        return self._context_tokens

    @property
    def calibration(self) -> Calibration | None:
        """What the artifact records of itself."""
        return self._calibration

    def describe(self) -> BackendInfo:
        """Returns the model's size and how it runs."""
        return replace(self._info, documents_cached=self._decoder.n_cached)

    def count_tokens(self, text: str) -> int:
        """Returns how many tokens a line has."""
        return self._prompts.count_tokens(text)

    def prompt_room(self, max_new_tokens: int) -> int:
        """Returns how many tokens a window may have, with room for new ones after it.

        Raises:
            ArtifactError: There are next to none.
        """
        return self._prompts.measure_room(self._context_tokens, max_new_tokens)

    def find_source(
        self, head: str, text: str, document: Sequence[str], memory: TokenMemory | None
    ) -> CodeReference | None:
        """Returns the training document that ``text`` after ``head`` repeats.

        What the user's own files have already does not count.
        """
        return find_repeated(self._verbatim, head + text, self._tokenizer, document, memory)

    def index_files(self, files: Iterable[SourceFile]) -> TokenIndex:
        """Indexes the files of a workspace."""
        encoded = (EncodedFile.encode(file.path, file.read(), self._tokenizer) for file in files)
        return build_token_index(encoded, self._tokenizer)

    def create_memory(self) -> WorkspaceMemory | None:
        """Returns an empty memory of a workspace; None if the artifact has no gate."""
        if self._gate is None:
            return None
        return WorkspaceMemory(self._tokenizer, self._tokenizer_file)

    def add_unseen(self, memory: TokenMemory, texts: tuple[str, ...]) -> TokenMemory:
        """Returns a memory that also knows what the model does not see of the document."""
        return memory.extend(self._index_unseen(texts))

    def trace(self, window: Window, target: str) -> Trace:
        """Returns how probable the model finds a text after a window's prefix."""
        ids, n_known = self._prompts.build_with_target(
            window, target, max_tokens=self._context_tokens
        )
        return self._decoder.trace(ids[: self._context_tokens], n_known)

    def read_ahead(
        self,
        window: Window,
        unseen: tuple[str, ...],
        max_new_tokens: int,
        should_stop: Callable[[], bool],
    ) -> int:
        """Reads a window that is likely to be completed soon; returns how many tokens."""
        usage = self._decoder.read_ahead(self._build(window, max_new_tokens), should_stop)
        if unseen and not should_stop():
            self._index_unseen(unseen)
        return usage.computed_tokens

    def _build(
        self, window: Window, max_new_tokens: int, lookup_texts: Sequence[str] = ()
    ) -> Prompt:
        room = self.prompt_room(max_new_tokens) + self._prompts.overhead_tokens
        return self._prompts.build(window, max_tokens=room, lookup_texts=lookup_texts)

    def generate(
        self,
        window: Window,
        request: GenerationRequest,
        lookup_texts: Sequence[str] = (),
        memory: TokenMemory | None = None,
    ) -> GenerationResult:
        """Generates after a window's prefix."""
        prompt = self._build(window, request.max_new_tokens, lookup_texts)
        mixture = None
        if memory is not None and self._gate is not None:
            mixture = Mixture(memory, self._gate)
        result = self._decoder.generate(prompt, request, mixture)
        if memory is None or mixture is None:
            return result
        return replace(result, known_from=_find_origin(prompt, result.sequences[0], memory))


def _find_origin(prompt: Prompt, sequence: GeneratedSequence, memory: TokenMemory) -> str | None:
    """Returns the file whose code made the first line as likely as it is, None if none did."""
    n_tokens = count_first_line(sequence.text, sequence.ends)
    gains = sequence.gains[:n_tokens]
    if sum(gains) < _LEAST_GAIN:
        return None
    at = gains.index(max(gains)) + 1
    return memory.locate([*prompt.ids[-MAX_CONTEXT_TOKENS:], *sequence.ids[:at]])


def _read_gate(artifact: Artifact) -> Gate | None:
    """Returns the artifact's gate, None if it has none.

    Raises:
        ArtifactError: It is damaged.
    """
    values = artifact.memory_gate
    if values is None:
        return None
    try:
        return Gate.from_json(values)
    except ValueError as error:
        raise ArtifactError(f"{artifact.path}: {error}; {COPY_AGAIN}") from error
