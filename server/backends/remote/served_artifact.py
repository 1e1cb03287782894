"""One of our own artifacts behind any server with OpenAI's ``/v1/completions``.

The server only multiplies. The client has the artifact's small files (all but the weights), and so
does what it does for a model on this machine: the training's own layout of the prompt with start
and quality tokens, infilling with the suffix first, token healing, calibrated confidence, and
attribution. What a server cannot do is left out: a memory of the workspace needs distributions at
every step, and a server that returns no log-probabilities makes every suggestion count as certain.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

from server.backends.backend import BackendInfo
from server.backends.completions_client import CompletionsError
from server.backends.own_text import find_repeated
from server.backends.remote.allowed_pieces import (
    FORCES,
    choose_allowed,
    is_allowed,
    read_forced,
    weigh_among_allowed,
)
from server.backends.remote.pieces import Piece, list_choices, read_pieces
from server.backends.remote.prompt_text import PromptText
from server.backends.remote_server import REFUSED, RemoteServer
from server.engine.batched.sequence_state import (
    SequenceState,
    begin_sequences,
    finish_sequences,
)
from server.engine.generation_request import (
    FinishReason,
    GenerationRequest,
    GenerationResult,
    Prompt,
    Sampling,
    TokenUsage,
)
from server.engine.token_healing import VocabularyIndex
from server.memory.token_memory import TokenMemory
from server.prompt.layout import PromptBuilder
from server.prompt.window import Window
from server.settings import RemoteSettings
from server.suggestion.confidence import Calibration
from training.artifact.code_reference import CodeReference
from training.artifact.directory import Artifact

# Ways to ask, the best first: whether the prompt is ids, and how many alternatives of each token.
_WAYS = ((True, 20), (True, 5), (False, 20), (False, 5))


class ServedArtifact(RemoteServer):
    """Generates with an artifact that a server has loaded.

    Args:
        settings: Where the server answers.
        artifact: The served artifact; its weights are not used.
        heal_tokens: How many tokens before the cursor may be generated again.

    Raises:
        ConfigError: The URL does not start with http:// or https://.
    """

    def __init__(self, settings: RemoteSettings, artifact: Artifact, *, heal_tokens: int) -> None:
        super().__init__(replace(settings, tokenizer=""))
        self._takes_suffix = False
        self._artifact = artifact
        self._heal_tokens = heal_tokens
        self._prompts = PromptBuilder(artifact, heal_tokens=heal_tokens)
        self._prompt_text = PromptText(artifact.tokenizer)
        table = artifact.tokenizer.byte_table
        self._vocabulary = VocabularyIndex(table)
        self._ids_by_bytes = {token: token_id for token_id, token in enumerate(table) if token}
        self._ways, self._forces = list(_WAYS), list(FORCES)
        self._calibration = Calibration.of(artifact.manifest.evaluation)

    @property
    def context_tokens(self) -> int:
        """How many tokens the model sees."""
        return self._artifact.context_tokens

    @property
    def calibration(self) -> Calibration | None:
        """What the artifact records of itself."""
        return self._calibration

    def describe(self) -> BackendInfo:
        """Returns where requests go, and what is known of the model."""
        return replace(
            super().describe(),
            infilling=None if self._artifact.fim is None else "artifact",
            tokens_seen=self._artifact.manifest.training.tokens_seen,
            context_tokens=self.context_tokens,
            knows_its_sources=self._artifact.verbatim is not None,
        )

    def count_tokens(self, text: str) -> int:
        """Returns how many tokens a line has."""
        return self._prompts.count_tokens(text)

    def prompt_room(self, max_new_tokens: int) -> int:
        """Returns how many tokens a window may have, with room for new ones after it.

        Raises:
            ArtifactError: There are next to none.
        """
        return self._prompts.measure_room(self.context_tokens, max_new_tokens)

    def find_source(
        self, head: str, text: str, document: Sequence[str], memory: TokenMemory | None
    ) -> CodeReference | None:
        """Returns the training document that ``text`` after ``head`` repeats.

        What the user's own document has already does not count.
        """
        tokenizer = self._artifact.tokenizer
        return find_repeated(self._artifact.verbatim, head + text, tokenizer, document, memory)

    def _request(self, window: Window, request: GenerationRequest) -> GenerationResult:
        room = self.prompt_room(request.max_new_tokens) + self._prompts.overhead_tokens
        prompt = self._prompts.build(window, max_tokens=room)
        usage = TokenUsage(prompt_tokens=len(prompt.ids))
        if request.n_sequences == 1:
            states = self._generate_one(prompt, request, usage)
        else:
            states = self._generate_several(prompt, request, usage)
        for state in states:
            state.sequence.ids.clear()  # unknown: a piece may be more than one token
            if request.should_stop is not None and request.should_stop():
                state.sequence.finish_reason = FinishReason.CANCELLED
            state.sequence.finish_reason = state.sequence.finish_reason or FinishReason.END_OF_TEXT
        return GenerationResult(sequences=[state.sequence for state in states], usage=usage)

    def _generate_one(
        self, prompt: Prompt, request: GenerationRequest, usage: TokenUsage
    ) -> list[SequenceState]:
        state, ids = self._heal(prompt, request, usage, stops_when_healed=False)
        if state.sequence.finish_reason is None:
            self._stream([state], ids, request, usage)
        return [state]

    def _generate_several(
        self, prompt: Prompt, request: GenerationRequest, usage: TokenUsage
    ) -> list[SequenceState]:
        """Heals greedily once, since all have the same text to repeat; then samples."""
        healing = replace(request, sampling=Sampling(), n_sequences=1, is_hopeless=None)
        healed, ids = self._heal(prompt, healing, usage, stops_when_healed=True)
        states = begin_sequences(prompt, request, range(request.n_sequences))
        for state in states:
            state.required_bytes = b""
            state.left_tokens = healed.left_tokens
            sequence = healed.sequence
            state.sequence = replace(
                sequence, ends=[*sequence.ends], log_probs=[*sequence.log_probs], ids=[]
            )
        if healed.sequence.finish_reason is None:
            self._stream(states, ids, request, usage)
        return states

    def _heal(
        self,
        prompt: Prompt,
        request: GenerationRequest,
        usage: TokenUsage,
        *,
        stops_when_healed: bool,
    ) -> tuple[SequenceState, list[int]]:
        """Generates until the removed text is repeated, and on from there unless told to stop.

        The server generates freely. Where it leaves the text that must be repeated, the likeliest
        token that does not is put in place of its own, and it goes on from there.

        Returns:
            The sequence, and the prompt from which it goes on if it has not ended.
        """
        (state,) = begin_sequences(prompt, request, [0])
        ids = list(prompt.ids)
        if not self._takes_ids:
            ids, moved = self._prompt_text.settle(ids)
            state.required_bytes = moved + state.required_bytes
        while state.required_bytes and not _is_over(state, request):
            left = self._stream([state], ids, request, usage, stops_when_healed=stops_when_healed)
            if left is None:
                break
            piece = self._choose(ids, state.required_bytes, left)
            if piece is None:  # go on as if nothing had been removed
                ids += self._to_ids(state.required_bytes)
                state.required_bytes = b""
                break
            ids += self._to_ids(piece.text)
            _append(state, piece, request)
        return state, ids

    def _choose(self, ids: list[int], required: bytes, left: Piece) -> Piece | None:
        """Returns a token that repeats the required text, or begins with all of it."""
        piece = choose_allowed(left, required)
        if piece is not None:
            return piece
        allowed = self._vocabulary.allowed_ids(required)
        while self._forces:
            body = {**self._build_request(ids, 1, 1, Sampling()), "stream": False}
            try:
                answer = self._client.complete({**body, **self._forces[0](allowed)})
            except CompletionsError as error:
                if error.status not in REFUSED:
                    raise
                answer = {}
            piece = read_forced(answer, required, left)
            if piece is not None:
                return piece
            del self._forces[0]  # the server refuses or ignores it
        return None

    def _stream(
        self,
        states: Sequence[SequenceState],
        ids: list[int],
        request: GenerationRequest,
        usage: TokenUsage,
        *,
        stops_when_healed: bool = False,
    ) -> Piece | None:
        """Lets the server go on until every sequence has ended.

        A single sequence's tokens are added to ``ids``.

        Returns:
            The piece with which a single sequence left the text that it has to repeat, if it did.
        """
        for index, choice in self._list_streamed(states, ids, request):
            state = states[index]
            for piece in read_pieces(choice) if state.sequence.finish_reason is None else ():
                usage.new_tokens += 1
                if not is_allowed(piece.text, state.required_bytes):
                    return piece
                if state.required_bytes:
                    piece = weigh_among_allowed(piece, state.required_bytes)  # noqa: PLW2901
                if len(states) == 1:
                    ids += self._to_ids(piece.text)
                _append(state, piece, request)
                if state.sequence.finish_reason is not None:
                    break
            if choice.get("finish_reason") == "length" and state.sequence.finish_reason is None:
                state.sequence.finish_reason = FinishReason.MAX_TOKENS
            if all(_is_over(state, request) for state in states):
                return None
            if stops_when_healed and not states[0].required_bytes:
                return None
        return Piece(text=b"") if states[0].required_bytes else None

    def _list_streamed(
        self, states: Sequence[SequenceState], ids: list[int], request: GenerationRequest
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yields what the server streams for each sequence; asks in the way that it knows.

        If it takes none, the request is at fault, and the next one is asked in the best way again.
        """
        most = states[0].left_tokens + (self._heal_tokens if states[0].required_bytes else 0)
        ways = self._ways
        while True:
            body = self._build_request(ids, len(states), most, request.sampling)
            events = self._client.stream(body, request.should_stop)
            try:
                with closing(cast("Generator[dict[str, Any]]", events)):  # ends the connection
                    for event in events:
                        yield from (c for c in list_choices(event) if c[0] < len(states))
            except CompletionsError as error:
                if error.status not in REFUSED:
                    raise
                if len(self._ways) == 1:
                    self._ways = ways
                    raise
                self._ways = self._ways[1:]
            else:
                return

    def _build_request(
        self, ids: list[int], n: int, max_tokens: int, sampling: Sampling
    ) -> dict[str, Any]:
        takes_ids, n_likeliest = self._ways[0]
        body: dict[str, Any] = {
            "model": self._settings.model,
            "prompt": list(ids) if takes_ids else self._prompt_text.write(ids),
            "max_tokens": max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "n": n,
            "logprobs": n_likeliest,
            "stream": True,
        }
        if sampling.temperature:
            body["seed"] = sampling.seed
        return body

    @property
    def _takes_ids(self) -> bool:
        return self._ways[0][0]

    def _to_ids(self, text: bytes) -> list[int]:
        """Returns the ids of a piece: one, if it is a token."""
        token_id = self._ids_by_bytes.get(text)
        if token_id is not None:
            return [token_id]
        return self._artifact.tokenizer.encode(text.decode("utf-8", errors="ignore"))


def _append(state: SequenceState, piece: Piece, request: GenerationRequest) -> None:
    """Adds a piece, and ends the sequence where the local engine would."""
    state.append(-1, piece.log_prob or 0.0, piece.text)
    finish_sequences(request, [state], is_full=False)


def _is_over(state: SequenceState, request: GenerationRequest) -> bool:
    is_cancelled = request.should_stop is not None and request.should_stop()
    return is_cancelled or state.sequence.finish_reason is not None
