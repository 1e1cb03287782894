"""Text in, completions out: the server's public face, used by the LSP room and by evaluation.

It joins the parts that each know one thing: context (what is seen), scope (how far a suggestion
goes), a writer (the model here, or a server elsewhere), and what of its text is shown. It knows
nothing of editors and protocols. Calls from several threads wait for one another: there is one
writer.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from server.backends.backend import Order, Writer
from server.backends.model_store import Told, model_folder
from server.engine.generation_request import Ending, Sampling
from server.prompt.window import Budget, Window, lasting_suffix, window_at
from server.settings import Settings
from server.suggestion.confidence import needed_confidence
from server.suggestion.explanation import ATTRIBUTED
from server.suggestion.extent import Extent, Limits, cut, scope_at
from server.suggestion.request import CompletionRequest, CompletionResult
from server.suggestion.result import Place, decoded, result_of, shown_of, sureness, with_others
from server.suggestion.type_through import Shown, TypingThrough

_SURROGATE = re.compile("[\ud800-\udfff]")
_TRIES = 3  # drawn for each alternative that is wanted, since many are alike
_VARIED = Sampling(temperature=0.8, top_p=0.95, seed=0)
_MOST_TAKEN = 8  # suggestions that were taken of late
_SUFFIX_SHARE = 4  # of the room for a prompt in ``generate``: one part in so many


class Completer:
    """Completes text with one writer."""

    def __init__(self, writer: Writer, settings: Settings) -> None:
        self.settings = settings
        self._writer = writer
        self._typing = TypingThrough()
        self._taken: deque[str] = deque(maxlen=_MOST_TAKEN)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        settings: Settings | None = None,
        told: Told | None = None,
    ) -> "Completer":
        """Loads the artifact at ``path``, or the settings' server or model.

        Args:
            path: A folder.
            settings: The defaults if None.
            told: Told how a download goes.

        Raises:
            ArtifactError: It is missing or damaged.
            ConfigError: The server's address is none.
        """
        settings = settings or Settings()
        if settings.remote.url and path is None:
            from server.backends.remote_server import RemoteWriter  # noqa: PLC0415 - seldom wanted

            return cls(RemoteWriter(settings.remote), settings)
        from server.backends.local_model import LocalWriter  # noqa: PLC0415 - imports torch: seconds
        from training.artifact.directory import load_artifact  # noqa: PLC0415

        artifact = load_artifact(path or model_folder(settings.model, told))
        return cls(LocalWriter(artifact, settings.engine), settings)

    def warm_up(self) -> None:
        """Runs a model here once, so that the first request does not pay for its set-up."""
        if self.settings.remote.url:
            return
        self.complete(CompletionRequest(text="def", offset=3))

    def complete(
        self, request: CompletionRequest, should_stop: Callable[[], bool] | None = None
    ) -> CompletionResult:
        """Returns what to show at the cursor.

        Args:
            request: The document and the cursor.
            should_stop: Asked before each step of the model; True ends the work at once.
        """
        with self._lock:
            started = time.perf_counter()
            rest = None
            if request.n_wanted == 1:
                rest = self._typing.rest(request.document, *request.around)
            if rest is None:
                result = self._written(request, should_stop, started)
                rest = _shown_by(request, result)
            else:
                result = CompletionResult(
                    text=rest.text,
                    covered=rest.covered,
                    is_rest=True,
                    total_ms=1000 * (time.perf_counter() - started),
                    confidence=rest.confidence,
                    source=rest.source,
                )
            if request.document and result.reason != Ending.CANCELLED:
                self._typing.remember(request.document, rest)
            return result

    def is_typed_through(self, request: CompletionRequest) -> bool:
        """Says whether the answer is the rest of what was shown before, without the model."""
        with self._lock:
            rest = self._typing.rest(request.document, *request.around)
        return request.n_wanted == 1 and rest is not None

    def about(self) -> dict[str, object]:
        """Returns what writes here, for people who ask after its health."""
        return self._writer.about()

    def _written(
        self,
        request: CompletionRequest,
        should_stop: Callable[[], bool] | None,
        started: float,
    ) -> CompletionResult:
        """Has the writer write."""
        place = self._place(request)
        self._note_taken(request)
        calibration = self._writer.calibration
        eagerness = self.settings.suggestion.eagerness
        least = needed_confidence(eagerness, is_asked_for=request.is_asked_for)
        order = Order(
            window=place.window,
            similar=[place.window.context, *self._taken],
            max_new_tokens=self._most_tokens(place.scope.extent),
            is_finished=lambda written: cut(decoded(written), place.scope)[1],
            is_hopeless=lambda written: sureness(written, calibration)[1] < least,
            should_stop=should_stop,
        )
        outcome = self._writer.write(order)
        result = result_of(outcome, place, calibration=calibration, least=least, started=started)
        result = self._attributed(result, place)
        if request.n_wanted == 1 or not result.text:
            return result
        again = replace(order, n_sequences=_TRIES * request.n_wanted, sampling=_VARIED)
        drawn = self._writer.write(again).written
        return with_others(result, [shown_of(w, place) for w in drawn], request.n_wanted)

    def _attributed(self, result: CompletionResult, place: Place) -> CompletionResult:
        """Adds whose text a result repeats; drops it if the user wants that."""
        policy = self.settings.suggestion.attribution
        if policy == "allow" or not result.text:
            return result
        head = place.before.rpartition("\n")[2]
        source = self._writer.source_of(head, result.text)
        if source is None:
            return result
        if policy == "block":
            return replace(result, text="", reason=ATTRIBUTED, source=source)
        return replace(result, source=source)

    def _note_taken(self, request: CompletionRequest) -> None:
        """Remembers a suggestion that now stands in its document: it may be written again."""
        shown = self._typing.last(request.document)
        if shown is not None and request.around[0].startswith(shown.before + shown.text):
            head = shown.before.rpartition("\n")[2]
            self._taken.appendleft(head + shown.text)

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
        should_stop: Callable[[], bool] | None = None,
    ) -> list[str]:
        """Returns ``n`` raw continuations of ``prefix``, none cut or refused by any rule.

        Args:
            prefix: What stands before; its beginning is dropped if it does not fit.
            suffix: What stands behind; blank means left to right.
            n: How many.
            max_new_tokens: Of each.
            temperature: 0 is greedy (and all alike).
            top_p: The nucleus.
            seed: Equal seeds give equal samples, whatever ``n``.
            stop: A continuation ends before the first of these strings.
            should_stop: As in :meth:`complete`; what was written so far is returned.
        """
        sampling = Sampling(temperature=temperature, top_p=top_p, seed=seed)
        n_different = n if temperature > 0 else min(n, 1)  # one greedy text, whatever the batch
        with self._lock:
            window = self._generation_window(prefix, suffix, max_new_tokens)
            stops = [s.encode() for s in stop]
            texts: list[str] = []
            while len(texts) < n_different:
                order = Order(
                    window=window,
                    max_new_tokens=max_new_tokens,
                    n_sequences=min(n_different - len(texts), self.settings.engine.batch_size),
                    first_sequence=len(texts),
                    sampling=sampling,
                    is_finished=lambda text: any(s in text for s in stops),
                    should_stop=should_stop,
                )
                written = self._writer.write(order).written
                texts += [_before_stop(decoded(w.text), stop) for w in written]
            return texts if n_different == n else texts * n

    def _place(self, request: CompletionRequest) -> Place:
        text, offset = request.text, request.offset
        if not 0 <= offset <= len(text):
            raise ValueError(f"offset is {offset}, the document has {len(text)} characters")
        if "\r" in text:
            before = _plain_line_ends(text[:offset])
            text, offset = before + _plain_line_ends(text[offset:]), len(before)
        window = self._window(text, offset, request)
        before, behind = text[:offset], text[offset:]
        suggesting = self.settings.suggestion
        limits = Limits(
            block_lines=suggesting.max_block_lines, function_lines=suggesting.max_function_lines
        )
        workspace = request.workspace
        return Place(
            window=window,
            scope=scope_at(before, behind, limits=limits, wanted=suggesting.extent),
            before=before,
            behind=behind,
            knows_name=(lambda _: False) if workspace is None else workspace.knows,
        )

    def _window(self, text: str, offset: int, request: CompletionRequest) -> Window:
        settings = self.settings.context
        room = self._writer.room(self._capped(self.settings.suggestion.longest_tokens))
        budget = Budget.within(settings, room)
        window = window_at(text, offset, budget, self._count)
        context = ""
        left = min(settings.workspace_tokens, room - budget.prefix_tokens - budget.suffix_tokens)
        if request.workspace is not None and left > 0:
            context = request.workspace.context(left, self._count)
        suffix = lasting_suffix(window.suffix)
        return _printable(replace(window, suffix=suffix, context=context))

    def _most_tokens(self, extent: Extent) -> int:
        suggesting = self.settings.suggestion
        return self._capped(
            {
                Extent.LINE: suggesting.max_line_tokens,
                Extent.BLOCK: suggesting.max_block_tokens,
                Extent.FUNCTION: suggesting.max_function_tokens,
            }[extent]
        )

    def _capped(self, max_new_tokens: int) -> int:
        return min(max_new_tokens, self._writer.context_tokens // 4)

    def _count(self, line: str) -> int:
        return self._writer.count(_SURROGATE.sub("\ufffd", line))

    def _generation_window(self, prefix: str, suffix: str, max_new_tokens: int) -> Window:
        room = self._writer.room(max_new_tokens)
        suffix_tokens = room // _SUFFIX_SHARE if suffix.strip() else 0
        budget = Budget(
            prefix_tokens=room - suffix_tokens, suffix_tokens=suffix_tokens, step_lines=1
        )
        return _printable(window_at(prefix + suffix, len(prefix), budget, self._count))


def _shown_by(request: CompletionRequest, result: CompletionResult) -> Shown | None:
    """Returns what a result shows, to be typed through."""
    if not result.text:
        return None
    before, behind = request.around
    return Shown(
        before=before,
        behind=behind,
        text=result.text,
        covered=result.covered,
        confidence=result.confidence,
        source=result.source,
    )


def _before_stop(text: str, stops: Sequence[str]) -> str:
    return text[: min((at for s in stops if (at := text.find(s)) >= 0), default=len(text))]


def _plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _printable(window: Window) -> Window:
    """Replaces halves of surrogate pairs, which no encoder takes, one character for one."""
    return Window(
        prefix=_SURROGATE.sub("\ufffd", window.prefix),
        suffix=_SURROGATE.sub("\ufffd", window.suffix),
        context=_SURROGATE.sub("\ufffd", window.context),
    )
