"""The decoder: reads a prompt, reusing what the cache holds, and generates token after token.

It keeps caches across requests (:mod:`server.engine.kv_cache`): what a new prompt shares with one
of them is not computed again. Several sequences are generated as a batch
(:mod:`server.engine.batched`). A single one is generated speculatively: guesses at the next
tokens (:mod:`server.engine.prompt_lookup`) are fed together with the last token, and those are
kept that the model would have generated itself. The stop flag is checked before every step and
between the chunks of a prompt, so a cancelled request ends within one of them, and what was
computed stays usable. For one thread at a time. It knows ids and bytes only; the caller's
predicates decide where a sequence ends.

Tensor legend: T new tokens, C embedding width, V vocabulary.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from server.engine.batched.batch_decoder import BatchDecoder, BatchTask
from server.engine.batched.sequence_state import (
    SequenceState,
    begin_sequences,
    finish_sequences,
)
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
from server.engine.reread_reason import find_reread_reason
from server.engine.sampling import sample_token
from server.engine.token_healing import VocabularyIndex
from server.engine.trace import Trace, trace_tokens
from server.memory.mixture import Mixture

_NOT_AHEAD_TOKENS = 8  # are read as quickly once they are needed


@dataclass(kw_only=True)
class _Run:
    """One request while it is served."""

    request: GenerationRequest
    cached: CachedPrompt
    usage: TokenUsage
    started: float
    mixture: Mixture | None


class Decoder:
    """Serves requests with one network, one after the other.

    Args:
        network: The model.
        byte_table: The bytes of each id; empty for special tokens.
        chunk_tokens: How much of a prompt is read between two checks of the stop flag.
        cache_bytes: The budget for the caches of all documents.
        max_guesses: Tokens guessed per step; 0 for plain decoding.
        batch_bytes: The budget for sequences that run at once; 0 for a share of the free memory.
    """

    def __init__(
        self,
        network: Network,
        byte_table: Sequence[bytes],
        *,
        chunk_tokens: int,
        cache_bytes: int = 0,
        max_guesses: int = 0,
        batch_bytes: int = 0,
    ) -> None:
        self._network = network
        n_unused = network.config.vocab_size - len(byte_table)  # padding of the output layer
        self._byte_table = [*byte_table, *[b""] * n_unused]
        self._vocabulary = VocabularyIndex(byte_table)
        self._chunk_tokens = chunk_tokens
        self._max_guesses = max_guesses
        self._caches = KVCachePool(network.new_cache, cache_bytes)
        self._batches = BatchDecoder(
            network, self._byte_table, self._vocabulary, budget_bytes=batch_bytes
        )

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
        run = self._start(prompt, request, started, mixture)
        cached, usage = run.cached, run.usage
        hidden = self._read(run, prompt)
        if hidden is None:
            reason = FinishReason.CANCELLED
            sequences = [
                GeneratedSequence(finish_reason=reason) for _ in range(request.n_sequences)
            ]
        elif request.n_sequences == 1:
            (state,) = begin_sequences(prompt, request, [0])
            lookup = PromptLookup(prompt.ids, prompt.lookup_ids)
            self._generate_one(run, state, lookup, hidden)
            sequences = [state.sequence]
        else:
            task = BatchTask(
                prompt=prompt,
                cache=cached.cache,
                hidden=hidden,
                request=request,
                usage=usage,
                started=started,
                mixture=mixture,
            )
            sequences = self._batches.generate(task)
        return GenerationResult(sequences=sequences, usage=usage)

    @torch.inference_mode()
    def read_ahead(self, prompt: Prompt, should_stop: Callable[[], bool]) -> TokenUsage:
        """Reads a prompt that is likely to be continued soon, as far as no cache holds it.

        Args:
            prompt: What will be read; less than the model has positions.
            should_stop: As in a request; what was read before stays.
        """
        usage = TokenUsage(prompt_tokens=len(prompt.ids), reused_tokens=len(prompt.ids))
        _, n_shared = self._caches.find_closest(prompt.ids)
        if len(prompt.ids) - n_shared <= _NOT_AHEAD_TOKENS:
            return usage
        request = GenerationRequest(max_new_tokens=1, should_stop=should_stop)
        run = self._start(prompt, request, time.perf_counter(), None)
        self._read(run, prompt, n_last=0)
        return run.usage

    @torch.inference_mode()
    def trace(self, ids: Sequence[int], n_known: int) -> Trace:
        """Returns how probable the model finds the tokens after the first ``n_known`` of ``ids``.

        Raises:
            ValueError: There is none before them, or they do not fit.
        """
        if not 0 < n_known <= len(ids) <= self._network.config.n_positions:
            raise ValueError(f"{len(ids)} tokens, {n_known} of them known, cannot be traced")
        hidden = self._network.extend(torch.tensor([ids[:-1]]), self._network.new_cache())
        logits = self._network.logits(hidden[0, n_known - 1 :]).cpu()  # [T, V]
        return trace_tokens(ids, n_known, logits.log_softmax(dim=-1))

    def _start(
        self,
        prompt: Prompt,
        request: GenerationRequest,
        started: float,
        mixture: Mixture | None,
    ) -> _Run:
        """Finds the cache for a prompt."""
        closest, _ = self._caches.find_closest(prompt.ids)
        reread = find_reread_reason(prompt, closest)
        cached = self._caches.acquire(prompt)
        usage = TokenUsage(
            prompt_tokens=len(prompt.ids), reused_tokens=len(cached.ids), reread=reread
        )
        return _Run(request=request, cached=cached, usage=usage, started=started, mixture=mixture)

    def _read(self, run: _Run, prompt: Prompt, *, n_last: int = 1) -> Tensor | None:
        """Computes the rest of the prompt; returns the last ``[n_last, C]``, None if cancelled."""
        request, cached, usage = run.request, run.cached, run.usage
        hidden = torch.empty(0)
        for start in range(usage.reused_tokens, len(prompt.ids), self._chunk_tokens):
            if request.should_stop is not None and request.should_stop():
                return None
            chunk = list(prompt.ids[start : start + self._chunk_tokens])
            n_needed = n_last if start + len(chunk) == len(prompt.ids) else 0
            hidden = self._network.extend(torch.tensor([chunk]), cached.cache, n_last=n_needed)
            cached.ids += chunk
            usage.computed_tokens += len(chunk)
        return hidden[0]

    def _generate_one(
        self, run: _Run, state: SequenceState, lookup: PromptLookup, hidden: Tensor
    ) -> None:
        """Generates into the prompt's own cache, verifying guesses on the way."""
        request, cached, usage, sequence = run.request, run.cached, run.usage, state.sequence
        room = cached.cache.room - usage.prompt_tokens
        guesses: list[int] = []
        while True:
            n_right = 0
            for row in self._network.logits(hidden).cpu():  # [T, V], one after each token fed
                token_id = self._take_step(run, state, row)
                usage.count_new(1, run.started)
                lookup.append(token_id)
                finish_sequences(request, [state], is_full=room - usage.new_tokens < 1)
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

    def _take_step(self, run: _Run, state: SequenceState, logits: Tensor) -> int:
        """Chooses a sequence's next token from ``[V]`` and appends it."""
        request, allowed = run.request, None
        if state.required_bytes:
            allowed = torch.tensor(self._vocabulary.allowed_ids(state.required_bytes))
        mixed = None
        if run.mixture is not None:
            mixed = run.mixture.mix(logits, state.context, allowed)
            logits = mixed.log_probs
        if allowed is not None:
            logits = logits[allowed]
            at = sample_token(logits, request.sampling, state.generator)
            token_id = int(allowed[at])
        else:
            at = token_id = sample_token(logits, request.sampling, state.generator)
        if mixed is not None:
            state.sequence.gains.append(mixed.gain(token_id))
        log_prob = float(logits[at] - logits.logsumexp(dim=-1))
        state.append(token_id, log_prob, self._byte_table[token_id])
        return token_id


def _guess(run: _Run, state: SequenceState, most: int) -> list[int]:
    return [] if run.mixture is None else run.mixture.guess(state.context, most)
