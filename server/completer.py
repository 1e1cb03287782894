"""Text in, completions out: the server's public face, used by the worker and by evaluation.

A suggestion is made in one pass: the window and the scope at the cursor, one generation by a back
end, then rules, confidence and attribution. It knows nothing of editors and protocols. Calls from
several threads wait for one another, since there is one back end.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from server.backends.backend import Backend, BackendInfo
from server.backends.context_budget import (
    longest_new_tokens,
    window_at_cursor,
    window_between,
)
from server.backends.context_budget import max_new_tokens as limit_new_tokens
from server.backends.model_store import DownloadProgress, find_model_folder
from server.engine.generation_request import FinishReason, GenerationRequest, Sampling
from server.settings import Settings
from server.suggestion.confidence import needed_confidence
from server.suggestion.cursor_context import CursorContext
from server.suggestion.explanation import ATTRIBUTED, SUPERSEDED
from server.suggestion.extent import cut, scope_at
from server.suggestion.postprocessing import (
    add_alternatives,
    assess_line,
    attribute,
    build_result,
    decode,
    to_suggestion,
)
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
from server.suggestion.type_through import TypeThrough
from server.workspace.sources.source_files import find_sources
from training.artifact.manifest import MANIFEST_FILE

if TYPE_CHECKING:  # a worker of a remote server does without their libraries
    from server.memory.token_memory import TokenMemory
    from server.workspace.sources.token_index import TokenIndex
    from server.workspace.sources.workspace_memory import WorkspaceMemory

_DRAWS_PER_ALTERNATIVE = 3  # since many are equal
_VARIED = Sampling(temperature=0.8, top_p=0.95, seed=0)
_MAX_ACCEPTED = 8  # recently accepted suggestions that may be repeated


class Completer:
    """Completes text with one back end."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self.settings = settings
        self.memory: TokenMemory | None = None  # of the workspace, for the requests to come
        self._backend = backend
        self._type_through = TypeThrough()
        self._accepted: deque[str] = deque(maxlen=_MAX_ACCEPTED)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        settings: Settings | None = None,
        on_download: DownloadProgress | None = None,
    ) -> "Completer":
        """Loads the artifact at ``path``, or the settings' server or model.

        Args:
            path: An artifact's folder.
            settings: None for the defaults.
            on_download: Called while a model is downloaded, from any thread.

        Raises:
            ArtifactError: The artifact is missing or damaged.
            ConfigError: The remote server's URL is invalid.
        """
        settings = settings or Settings()
        if settings.remote.url and path is None:
            return cls(_open_remote(settings), settings)
        from server.backends.local_model import LocalModel  # noqa: PLC0415 - imports torch: seconds
        from training.artifact.directory import load_artifact  # noqa: PLC0415

        artifact = load_artifact(path or find_model_folder(settings.model, on_download))
        return cls(LocalModel(artifact, settings.engine), settings)

    def warm_up(self) -> None:
        """Runs a local model once, so that the first request does not pay for its set-up."""
        if not self.settings.remote.url:
            self.complete(CompletionRequest(text="def", offset=3))

    def index_workspace(self, root: Path) -> "TokenIndex | None":
        """Reads and indexes the Python files of a folder, for a :attr:`memory`.

        Returns:
            None if the back end does not use one.
        """
        return self._backend.index_files(find_sources([root], self.settings.private_globs))

    def create_memory(self) -> "WorkspaceMemory | None":
        """Returns an empty memory of a workspace; None if the back end does not use one."""
        return self._backend.create_memory()

    def describe(self) -> BackendInfo:
        """Returns what generates here, for people who ask after its health."""
        return self._backend.describe()

    def change_settings(self, settings: Settings) -> None:
        """Uses other settings from now on; the former ones' suggestions are not shown again."""
        with self._lock:
            self.settings = settings
        self.forget_suggestions()

    def forget_suggestions(self, *, only_known: bool = False) -> None:
        """Forgets what was suggested before: it may not be suggested any more.

        Args:
            only_known: Only what another file of the workspace made likely.
        """
        with self._lock:
            self._type_through.forget(only_known=only_known)
            if not only_known:
                self._accepted.clear()

    def complete(
        self,
        request: CompletionRequest,
        should_stop: Callable[[], bool] | None = None,
        wait_for_pause: Callable[[], bool] | None = None,
    ) -> CompletionResult:
        """Returns what to show at the cursor.

        Args:
            request: The document and the cursor.
            should_stop: Checked before each step of the model; True ends the work at once.
            wait_for_pause: Called only if the model is needed: waits until the user may have
                stopped typing, and returns False if the request was superseded meanwhile.

        Raises:
            BackendUnavailableError: The remote server cannot be reached.
        """
        request = _normalise(request)
        with self._lock:
            started = time.perf_counter()
            rest = self._type_through.rest(request) if request.n_wanted == 1 else None
            if rest is not None:
                total_ms = 1000 * (time.perf_counter() - started)
                result = CompletionResult(suggestion=rest, is_rest=True, total_ms=total_ms)
            elif wait_for_pause is not None and not wait_for_pause():
                return CompletionResult(reason=SUPERSEDED)
            else:
                result = self._generate_result(request, should_stop)
            if request.document and result.reason != FinishReason.CANCELLED:
                self._type_through.remember(request, result.suggestion)
            return result

    def read_ahead(self, request: CompletionRequest, should_stop: Callable[[], bool]) -> int:
        """Has the model read what a request that is likely to come would have it read.

        Args:
            request: The document and the cursor.
            should_stop: Checked before each step of the model; what was read before stays.

        Returns:
            How many tokens were read.
        """
        with self._lock:
            cursor, backend = self._locate_cursor(_normalise(request)), self._backend
            unseen = () if self.memory is None else cursor.unseen
            longest = longest_new_tokens(self.settings.suggestion, backend)
            return backend.read_ahead(cursor.window, unseen, longest, should_stop)

    def _generate_result(
        self, request: CompletionRequest, should_stop: Callable[[], bool] | None
    ) -> CompletionResult:
        started = time.perf_counter()
        suggesting = self.settings.suggestion
        cursor = self._locate_cursor(request)
        accepted = self._type_through.find_accepted(request)
        if accepted is not None:
            self._accepted.appendleft(accepted)
        calibration = self._backend.calibration
        needed = needed_confidence(suggesting.eagerness, is_asked_for=request.is_asked_for)
        generation = GenerationRequest(
            max_new_tokens=limit_new_tokens(cursor.scope.extent, suggesting, self._backend),
            is_complete=lambda text: cut(decode(text), cursor.scope)[1],
            is_hopeless=lambda sequence: assess_line(sequence, calibration)[1] < needed,
            should_stop=should_stop,
        )
        lookup_texts = [cursor.window.context, *self._accepted]
        memory = self.memory
        if memory is not None:
            memory = self._backend.add_unseen(memory, cursor.unseen)
        generated = self._backend.generate(cursor.window, generation, lookup_texts, memory)
        result = build_result(
            generated, cursor, calibration=calibration, needed_confidence=needed, started=started
        )
        if result.suggestion.text:
            suggestion = self._attribute(result.suggestion, cursor)
            reason = None if suggestion.text else ATTRIBUTED
            result = replace(result, suggestion=suggestion, reason=reason)
        if request.n_wanted == 1 or not result.suggestion.text:
            return result
        n_draws = _DRAWS_PER_ALTERNATIVE * request.n_wanted
        varied = replace(generation, n_sequences=n_draws, sampling=_VARIED)
        drawn = self._backend.generate(cursor.window, varied, lookup_texts, memory)
        alternatives = [to_suggestion(sequence, cursor) for sequence in drawn.sequences]
        attribute_one = partial(self._attribute, cursor=cursor)
        return add_alternatives(result, alternatives, request.n_wanted, attribute_one)

    def _attribute(self, suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
        """Returns a suggestion as the user's policy wants it, without text if that blocks it."""
        policy = self.settings.suggestion.attribution
        if policy == "allow":
            return suggestion
        head = cursor.before.rpartition("\n")[2]
        own = (*cursor.unseen, cursor.window.prefix, cursor.window.suffix)
        source = self._backend.find_source(head, suggestion.text, own, self.memory)
        return attribute(suggestion, source, is_blocked=policy == "block")

    def _locate_cursor(self, request: CompletionRequest) -> CursorContext:
        text, offset, before, after = request.text, request.offset, request.before, request.after
        workspace, suggesting = request.workspace, self.settings.suggestion
        return CursorContext(
            before=before,
            after=after,
            window=window_at_cursor(text, offset, workspace, self.settings, self._backend),
            scope=scope_at(
                before,
                after,
                max_block_lines=suggesting.max_block_lines,
                max_function_lines=suggesting.max_function_lines,
                wanted=suggesting.extent,
            ),
            may_be_trivial=request.is_asked_for or suggesting.eagerness == "always",
            is_known_elsewhere=(lambda _: False) if workspace is None else workspace.knows,
        )

    def generate(
        self,
        prefix: str,
        suffix: str = "",
        *,
        n: int,
        max_new_tokens: int,
        temperature: float,
        top_p: float,
        seed: int,
        stop: Sequence[str] = (),
        first: int = 0,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Returns raw continuations of ``prefix``, without any rule applied.

        The random numbers of a continuation depend on the seed and its number alone, so it is the
        same whatever ``n`` and ``first`` are, up to the rounding of sums in batches of other sizes
        (:mod:`server.engine.batched.batch_decoder`).

        Args:
            prefix: The text before; its beginning is dropped if it does not fit.
            suffix: The text after; left to right if it is blank.
            n: The number after the last one.
            max_new_tokens: Per continuation.
            temperature: 0 is greedy, and all continuations are equal.
            top_p: The nucleus.
            seed: Equal seeds give equal continuations.
            stop: A continuation ends before the first of these strings.
            first: The number of the first one.
            should_stop: As in :meth:`complete`; what was generated so far is returned.
        """
        n_wanted = max(0, n - first)
        n_different = n_wanted if temperature > 0 else min(n_wanted, 1)  # one greedy text
        stops = [s.encode() for s in stop]
        with self._lock:
            window = window_between(prefix, suffix, max_new_tokens, self._backend)
            texts: list[str] = []
            while len(texts) < n_different:
                request = GenerationRequest(
                    max_new_tokens=max_new_tokens,
                    n_sequences=min(n_different - len(texts), self.settings.engine.batch_size),
                    first_sequence=first + len(texts),
                    sampling=Sampling(temperature=temperature, top_p=top_p, seed=seed),
                    is_complete=lambda text: any(s in text for s in stops),
                    should_stop=should_stop,
                )
                sequences = self._backend.generate(window, request, memory=self.memory).sequences
                texts += [cut_before_stop(decode(s.text), stop) for s in sequences]
        return texts if n_different == n_wanted else texts * n_wanted


def _open_remote(settings: Settings) -> Backend:
    """Returns the remote server, which may serve one of our own artifacts."""
    from server.backends.model_store import expand_user  # noqa: PLC0415 - with what follows
    from server.backends.remote_server import RemoteServer  # noqa: PLC0415 - rarely used

    folder = expand_user(settings.remote.tokenizer)
    if not settings.remote.tokenizer or not (folder / MANIFEST_FILE).is_file():
        return RemoteServer(settings.remote)
    from server.backends.remote.served_artifact import ServedArtifact  # noqa: PLC0415 - torch
    from training.artifact.directory import load_artifact  # noqa: PLC0415 - imports torch

    artifact = load_artifact(folder, reads_weights=False)
    heal_tokens = settings.engine.heal_tokens
    return ServedArtifact(settings.remote, artifact, heal_tokens=heal_tokens)


def cut_before_stop(text: str, stop: Sequence[str]) -> str:
    """Returns the text before the first stop string: all of it, if there is none."""
    return text[: min((at for s in stop if (at := text.find(s)) >= 0), default=len(text))]


def _normalise(request: CompletionRequest) -> CompletionRequest:
    """Returns a request with line feeds as line ends, as suggestions have them."""
    if not 0 <= request.offset <= len(request.text):
        raise ValueError(
            f"offset is {request.offset}, the document has {len(request.text)} characters"
        )
    if "\r" not in request.text:
        return request
    before = _normalise_line_ends(request.before)
    text = before + _normalise_line_ends(request.after)
    return replace(request, text=text, offset=len(before))


def _normalise_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
