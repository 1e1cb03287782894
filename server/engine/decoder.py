"""The decoder: reads a prompt, reusing what the cache holds, and generates token after token.

It keeps caches across requests (:mod:`server.engine.kv_cache`): what a new prompt shares with one
of them is not computed again. A single sequence is generated speculatively: guesses at the next
tokens (:mod:`server.engine.prompt_lookup`) are fed together with the last token, and those are
kept that the model would have generated itself. The stop flag is checked before every step and
between the chunks of a prompt, so a cancelled request ends within one of them, and what was
computed stays usable. For one thread at a time. It knows ids and bytes only; the caller's
predicates decide where a sequence ends.

Tensor legend: B sequences, T new tokens, C embedding width, V vocabulary.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from server.engine.generation_request import (
    FinishReason,
    GeneratedSequence,
    GenerationRequest,
    GenerationResult,
    Prompt,
    TokenUsage,
)
from server.engine.kv_cache import CachedPrompt, KVCachePool
from server.engine.network import Network
from server.engine.prompt_lookup import PromptLookup
from server.engine.sampling import sample_token
from server.engine.token_healing import VocabularyIndex
from server.engine.trace import Trace, trace_tokens
from server.memory.mixture import Mixture
from server.memory.token_memory import MAX_CONTEXT_TOKENS


@dataclass(kw_only=True)
class _Run:
    """One request while it is served."""

    request: GenerationRequest
    cached: CachedPrompt
    usage: TokenUsage
    started: float
    mixture: Mixture | None

    def count_new(self, n_tokens: int) -> None:
        """Counts tokens that were generated."""
        self.usage.new_tokens += n_tokens
        if self.usage.first_token_ms is None:
            self.usage.first_token_ms = 1000 * (time.perf_counter() - self.started)


@dataclass(kw_only=True)
class _State:
    """A sequence and what only the decoder needs to continue it.

    ``context`` are the ids before the next one that a memory looks up.
    """

    sequence: GeneratedSequence
    context: list[int]
    required_bytes: bytes
    left_tokens: int
    generator: random.Random


class Decoder:
    """Serves requests with one network, one after the other.

    Args:
        network: The model.
        byte_table: The bytes of each id; empty for special tokens.
        chunk_tokens: How much of a prompt is read between two checks of the stop flag.
        cache_bytes: The budget for the caches of all documents.
        max_guesses: Tokens guessed per step; 0 for plain decoding.
    """

    def __init__(
        self,
        network: Network,
        byte_table: Sequence[bytes],
        *,
        chunk_tokens: int,
        cache_bytes: int = 0,
        max_guesses: int = 0,
    ) -> None:
        self._network = network
        n_unused = network.config.vocab_size - len(byte_table)  # padding of the output layer
        self._byte_table = [*byte_table, *[b""] * n_unused]
        self._vocabulary = VocabularyIndex(byte_table)
        self._chunk_tokens = chunk_tokens
        self._max_guesses = max_guesses
        self._caches = KVCachePool(network.new_cache, cache_bytes)

    @property
    def n_cached(self) -> int:
        """How many documents have a cache."""
        return len(self._caches)

    @torch.inference_mode()
    def generate(
        self, prompt: Prompt, request: GenerationRequest, mixture: Mixture | None = None
    ) -> GenerationResult:
        """Reads the prompt and generates until every sequence has ended.

        Args:
            prompt: What the model reads.
            request: How much, how, and until when.
            mixture: Mixes the model's distributions with a memory's.
        """
        room = self._network.config.n_positions - len(prompt.ids)
        if not prompt.ids or room < 1:
            raise ValueError(f"a prompt of {len(prompt.ids)} tokens does not fit")
        started = time.perf_counter()
        cached = self._caches.acquire(prompt.ids)
        usage = TokenUsage(prompt_tokens=len(prompt.ids), reused_tokens=len(cached.ids))
        result = GenerationResult(
            sequences=[GeneratedSequence() for _ in range(request.n_sequences)], usage=usage
        )
        run = _Run(request=request, cached=cached, usage=usage, started=started, mixture=mixture)
        hidden = self._read(run, prompt)
        states = _initial_states(prompt, request, result)
        if hidden is None:
            for sequence in result.sequences:
                sequence.finish_reason = FinishReason.CANCELLED
        elif len(states) == 1:
            lookup = PromptLookup(prompt.ids, prompt.lookup_ids)
            self._generate_one(run, states[0], lookup, hidden)
        else:
            self._generate_several(run, states, hidden)
        return result

    @torch.inference_mode()
    def trace(self, ids: Sequence[int], n_known: int) -> Trace:
        """Returns how probable the model finds the tokens after the first ``n_known`` of ``ids``.

        Raises:
            ValueError: There is none before them, or they do not fit.
        """
        if not 0 < n_known <= len(ids) <= self._network.config.n_positions:
            raise ValueError(f"{len(ids)} tokens, {n_known} of them known, cannot be traced")
        hidden = self._network.extend(torch.tensor([ids[:-1]]), self._network.new_cache())
        log_probs = self._network.logits(hidden[0, n_known - 1 :]).log_softmax(dim=-1)  # [T, V]
        return trace_tokens(ids, n_known, log_probs)

    def _read(self, run: _Run, prompt: Prompt) -> Tensor | None:
        """Computes the rest of the prompt; returns the last ``[1, C]``, None if cancelled."""
        request, cached, usage = run.request, run.cached, run.usage
        hidden = torch.empty(0)
        for start in range(usage.reused_tokens, len(prompt.ids), self._chunk_tokens):
            if request.should_stop is not None and request.should_stop():
                return None
            chunk = list(prompt.ids[start : start + self._chunk_tokens])
            hidden = self._network.extend(torch.tensor([chunk]), cached.cache)
            cached.ids += chunk
            usage.computed_tokens += len(chunk)
        return hidden[:, -1]

    def _generate_one(self, run: _Run, state: _State, lookup: PromptLookup, hidden: Tensor) -> None:
        """Generates into the prompt's own cache, verifying guesses on the way."""
        request, cached, usage, sequence = run.request, run.cached, run.usage, state.sequence
        room = cached.cache.room - usage.prompt_tokens
        guesses: list[int] = []
        while True:
            n_right = 0
            for row in self._network.logits(hidden):  # [T, V], one after each token that was fed
                token_id = self._take_step(run, state, row)
                run.count_new(1)
                lookup.append(token_id)
                _finish_sequences(request, [state], is_full=room - usage.new_tokens < 1)
                is_right = n_right < len(guesses) and token_id == guesses[n_right]
                if sequence.finish_reason is not None or not is_right:
                    break
                n_right += 1
            cached.ids += guesses[:n_right]
            cached.cache.truncate(len(cached.ids))
            if sequence.finish_reason is not None:
                return
            most = min(self._max_guesses, room - usage.new_tokens - 1, state.left_tokens - 1)
            guesses = []
            if most > 0 and not state.required_bytes:
                guesses = lookup.guess(most) or _guess(run, state, most)
            fed = torch.tensor([[token_id, *guesses]])
            hidden = self._network.extend(fed, cached.cache)[0]  # [T, C]
            cached.ids.append(token_id)
            usage.steps += 1
            usage.guessed_tokens += len(guesses)

    def _generate_several(self, run: _Run, running: list[_State], hidden: Tensor) -> None:
        """Generates into copies of the prompt's cache, one token a step for each sequence."""
        request, cached, usage = run.request, run.cached, run.usage
        room = cached.cache.room - usage.prompt_tokens
        new = min(room, request.max_new_tokens + len(running[0].required_bytes))
        cache = cached.cache.repeat(request.n_sequences, room=usage.prompt_tokens + new)
        hidden = hidden.expand(len(running), -1)  # [B, C]
        while True:
            logits = self._network.logits(hidden)  # [B, V]
            chosen = [
                self._take_step(run, state, row) for state, row in zip(running, logits, strict=True)
            ]
            run.count_new(len(chosen))
            room -= 1
            _finish_sequences(request, running, is_full=room < 1)
            rows = [i for i, s in enumerate(running) if s.sequence.finish_reason is None]
            if not rows:
                return
            if len(rows) < len(running):
                cache.keep(rows)
                running = [running[i] for i in rows]
            fed = torch.tensor([[chosen[i]] for i in rows])
            hidden = self._network.extend(fed, cache)[:, -1]
            usage.steps += 1

    def _take_step(self, run: _Run, state: _State, logits: Tensor) -> int:
        """Chooses a sequence's next token from ``[V]`` and appends it."""
        request, sequence, is_healing = run.request, state.sequence, bool(state.required_bytes)
        allowed = None
        if is_healing:
            allowed = torch.tensor(self._vocabulary.allowed_ids(state.required_bytes))
        if run.mixture is not None:
            logits = run.mixture.mix(logits, state.context, allowed)
        if allowed is not None:
            logits = logits[allowed]
            at = sample_token(logits, request.sampling, state.generator)
            token_id = int(allowed[at])
        else:
            at = token_id = sample_token(logits, request.sampling, state.generator)
        sequence.log_probs.append(float(logits[at] - logits.logsumexp(dim=-1)))
        sequence.ids.append(token_id)
        state.context.append(token_id)
        token = self._byte_table[token_id]
        sequence.text += token[len(state.required_bytes) :]
        sequence.ends.append(len(sequence.text))
        state.required_bytes = state.required_bytes[len(token) :]
        if not token:  # end of text, or another special token: no text can follow
            sequence.finish_reason = FinishReason.END_OF_TEXT
        if sequence.text or not is_healing:
            state.left_tokens -= 1
        return token_id


def _initial_states(
    prompt: Prompt, request: GenerationRequest, result: GenerationResult
) -> list[_State]:
    context = list(prompt.ids[-MAX_CONTEXT_TOKENS:])
    return [
        _State(
            sequence=sequence,
            context=[*context],
            required_bytes=prompt.required_bytes,
            left_tokens=request.max_new_tokens,
            generator=request.sampling.generator(request.first_sequence + index),
        )
        for index, sequence in enumerate(result.sequences)
    ]


def _guess(run: _Run, state: _State, most: int) -> list[int]:
    return [] if run.mixture is None else run.mixture.guess(state.context, most)


def _finish_sequences(
    request: GenerationRequest, states: Sequence[_State], *, is_full: bool
) -> None:
    """Ends the sequences that a predicate, the stop flag or a limit ends."""
    is_cancelled = request.should_stop is not None and request.should_stop()
    for state in states:
        sequence = state.sequence
        if sequence.finish_reason is not None:
            continue
        if request.is_complete is not None and sequence.text and request.is_complete(sequence.text):
            sequence.finish_reason = FinishReason.COMPLETE
        elif request.is_hopeless is not None and request.is_hopeless(sequence):
            sequence.finish_reason = FinishReason.LOW_CONFIDENCE
        elif is_cancelled:
            sequence.finish_reason = FinishReason.CANCELLED
        elif is_full or state.left_tokens < 1:
            sequence.finish_reason = FinishReason.MAX_TOKENS
