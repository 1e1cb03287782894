"""Text in, completions out: the server's public face, used by the LSP room and by evaluation.

It joins the parts that each know one thing: context (what the model sees), prompt (its ids), the
engine (what it writes), scope and postprocess (what of that is shown). It knows nothing of editors
and protocols. Calls from several threads wait for one another: there is one engine.
"""

import codecs
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from server.confidence import (
    UNSURE,
    Calibration,
    confidence,
    first_line_log_prob,
    threshold,
)
from server.context import Budget, Window, window_at
from server.engine.choice import Sampling
from server.engine.decoder import Decoder, Decoding, Ending, Task, Written
from server.engine.machine import chosen_precision, use_threads
from server.engine.network import Network
from server.postprocess import Suggestion, Surroundings, refine
from server.prompt import Prompt, PromptBuilder
from server.request import Alternative, CompletionRequest, CompletionResult
from server.scope import Extent, Scope, cut, scope_at
from server.settings import Settings
from server.typing_through import Shown, TypingThrough
from training.artifact.directory import Artifact, load_artifact
from training.artifact.errors import ArtifactError

BUNDLED_MODEL = Path(__file__).parent / "model"

_SURROGATE = re.compile("[\ud800-\udfff]")
_MIN_PROMPT_TOKENS = 16  # a model with less room than this could not see a line
_TRIES = 3  # drawn for each alternative that is wanted, since many are alike
_VARIED = Sampling(temperature=0.8, top_p=0.95, seed=0)
_SUFFIX_SHARE = 4  # of the room for a prompt in ``generate``: one part in so many


class Completer:
    """Completes text with one artifact."""

    def __init__(self, artifact: Artifact, settings: Settings) -> None:
        self.artifact = artifact
        self.settings = settings
        use_threads(settings.engine.threads)
        precision = chosen_precision(settings.engine.precision)
        self._context_tokens = min(artifact.context_tokens, artifact.config.n_positions)
        self._decoder = Decoder(
            Network(artifact.config, artifact.weights, precision),
            artifact.tokenizer.byte_table,
            chunk_tokens=settings.engine.chunk_tokens,
            cache_bytes=settings.engine.cache_mib << 20,
            max_guesses=settings.engine.max_guesses,
        )
        self._prompts = PromptBuilder(artifact, heal_tokens=settings.engine.heal_tokens)
        self._typing = TypingThrough()
        self._calibration = Calibration.of(artifact.manifest.evaluation)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path | None = None, settings: Settings | None = None) -> "Completer":
        """Loads the artifact at ``path``, or the settings' one, or the bundled one.

        Raises:
            ArtifactError: It is missing or damaged.
        """
        settings = settings or Settings()
        return cls(load_artifact(path or settings.model or BUNDLED_MODEL), settings)

    def warm_up(self) -> None:
        """Runs the model once, so that the first request does not pay for its set-up."""
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
                )
            if request.document and result.reason != Ending.CANCELLED:
                self._typing.remember(request.document, rest)
            return result

    def _written(
        self,
        request: CompletionRequest,
        should_stop: Callable[[], bool] | None,
        started: float,
    ) -> CompletionResult:
        """Has the model write."""
        window = self._window(request)
        suggesting = self.settings.suggestion
        scope = scope_at(window.prefix, window.suffix, max_block_lines=suggesting.max_block_lines)
        is_block = scope.extent is Extent.BLOCK
        max_new = suggesting.max_block_tokens if is_block else suggesting.max_line_tokens
        max_new = min(max_new, self._context_tokens // 4)
        prompt = self._prompts.build(window, max_tokens=self._room(max_new))
        task = Task(
            prompt=prompt.ids,
            owed=prompt.owed,
            max_new_tokens=max_new,
            is_finished=lambda written: cut(_decoded(written), scope)[1],
            should_stop=should_stop,
        )
        outcome = self._decoder.run(task)
        least = 0.0 if request.is_asked_for else threshold(suggesting.eagerness)
        result = self._result(outcome, window, scope, started, least=least)
        if request.n_wanted == 1 or not result.text:
            return result
        again = replace(task, n_sequences=_TRIES * request.n_wanted, sampling=_VARIED)
        drawn = self._decoder.run(again).written
        return _with_others(result, [_shown(w, window, scope) for w in drawn], request.n_wanted)

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
            prompt = self._generation_prompt(prefix, suffix, max_new_tokens)
            stops = [s.encode() for s in stop]
            texts: list[str] = []
            while len(texts) < n_different:
                task = Task(
                    prompt=prompt.ids,
                    owed=prompt.owed,
                    max_new_tokens=max_new_tokens,
                    n_sequences=min(n_different - len(texts), self.settings.engine.batch_size),
                    first_sequence=len(texts),
                    sampling=sampling,
                    is_finished=lambda text: any(s in text for s in stops),
                    should_stop=should_stop,
                )
                written = self._decoder.run(task).written
                texts += [_before_stop(_decoded(w.text), stop) for w in written]
            return texts if n_different == n else texts * n

    def _window(self, request: CompletionRequest) -> Window:
        text, offset = request.text, request.offset
        if not 0 <= offset <= len(text):
            raise ValueError(f"offset is {offset}, the document has {len(text)} characters")
        if "\r" in text:
            before = _plain_line_ends(text[:offset])
            text, offset = before + _plain_line_ends(text[offset:]), len(before)
        suggesting = self.settings.suggestion
        longest = max(suggesting.max_block_tokens, suggesting.max_line_tokens)
        room = self._room(min(longest, self._context_tokens // 4))
        budget = Budget.within(self.settings.context, room - self._prompts.overhead_tokens)
        return _printable(window_at(text, offset, budget, self._count))

    def _count(self, line: str) -> int:
        return self._prompts.count(_SURROGATE.sub("\ufffd", line))

    def _room(self, max_new_tokens: int) -> int:
        """Returns the most tokens of a prompt that leaves room for ``max_new_tokens``."""
        healing = self.settings.engine.heal_tokens
        room = self._context_tokens - max_new_tokens - healing
        if room < _MIN_PROMPT_TOKENS:
            raise ArtifactError(
                f"the model sees {self._context_tokens} tokens, too few for {max_new_tokens} new"
                " ones; ask for fewer or use a model with a longer context"
            )
        return room

    def _result(
        self, outcome: Decoding, window: Window, scope: Scope, started: float, *, least: float
    ) -> CompletionResult:
        written = outcome.written[0]
        shown = _shown(written, window, scope)
        reason = None if shown.text else _reason(written, shown)
        log_prob, sure = 0.0, 0.0
        if written.text:
            log_prob = first_line_log_prob(written.text, written.ends, written.log_probs)
            sure = confidence(log_prob, self._calibration)
        if shown.text and sure < least:
            shown, reason = Suggestion(text=""), UNSURE
        first_token_ms = None if outcome.first_token_s is None else 1000 * outcome.first_token_s
        return CompletionResult(
            text=shown.text,
            covered=shown.covered,
            reason=reason,
            rules=shown.rules,
            extent=scope.extent,
            prompt_tokens=outcome.prompt_tokens,
            reused_tokens=outcome.reused_tokens,
            computed_tokens=outcome.computed_tokens,
            new_tokens=outcome.new_tokens,
            first_token_ms=first_token_ms,
            total_ms=1000 * (time.perf_counter() - started),
            log_prob=log_prob,
            confidence=sure,
        )

    def _generation_prompt(self, prefix: str, suffix: str, max_new_tokens: int) -> Prompt:
        room = self._room(max_new_tokens)
        usable = room - self._prompts.overhead_tokens
        suffix_tokens = usable // _SUFFIX_SHARE if suffix.strip() else 0
        budget = Budget(
            prefix_tokens=usable - suffix_tokens, suffix_tokens=suffix_tokens, step_lines=1
        )
        window = window_at(prefix + suffix, len(prefix), budget, self._count)
        return self._prompts.build(_printable(window), max_tokens=room)


def _with_others(
    result: CompletionResult, drawn: Sequence[Suggestion], n_wanted: int
) -> CompletionResult:
    """Adds what was drawn and differs, the most often drawn first."""
    counts = Counter((s.text, s.covered) for s in drawn if s.text and s.text != result.text)
    most = counts.most_common(n_wanted - 1)
    return replace(
        result, others=tuple(Alternative(text=text, covered=covered) for (text, covered), _ in most)
    )


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
    )


def _shown(written: Written, window: Window, scope: Scope) -> Suggestion:
    if written.ending is Ending.CANCELLED or not written.text:
        return Suggestion(text="")
    is_whole = written.ending is not Ending.MAX_TOKENS
    around = Surroundings.of(window.prefix, window.suffix, scope)
    return refine(Suggestion(text=_decoded(written.text), is_whole=is_whole), around)


def _reason(written: Written, shown: Suggestion) -> str:
    if shown.rules:
        return shown.rules[-1]
    return str(written.ending)


def _decoded(text: bytes) -> str:
    """Decodes what may end in the middle of a character, which is then left out."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return decoder.decode(text, final=False)


def _before_stop(text: str, stops: Sequence[str]) -> str:
    return text[: min((at for s in stops if (at := text.find(s)) >= 0), default=len(text))]


def _plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _printable(window: Window) -> Window:
    """Replaces halves of surrogate pairs, which no encoder takes, one character for one."""
    return Window(
        prefix=_SURROGATE.sub("\ufffd", window.prefix),
        suffix=_SURROGATE.sub("\ufffd", window.suffix),
    )
