"""The decoder: reads a prompt, reusing what the cache already holds, and writes token after token.

It owns the cache kept across requests: the longest common beginning of the new prompt and of the
tokens in the cache is not computed again. A stop flag is looked at before every step and between
the chunks of a prompt, so a cancelled request ends within one of them; what was computed stays
usable. One thread at a time. It knows ids and bytes only; what is a good place to stop, the caller
says by a predicate.

Tensor legend: B sequences, V vocabulary.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import Tensor

from server.engine.choice import GREEDY, Sampling, choose
from server.engine.healing import VocabularyIndex
from server.engine.network import KeyValues, Network


class Ending(StrEnum):
    """Why a sequence ended."""

    END_OF_TEXT = "end of text"  # the model closed it
    FINISHED = "finished"  # the caller's predicate was met
    MAX_TOKENS = "max tokens"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to write.

    Attributes:
        prompt: Ids, at least one, fewer than the model has positions.
        owed: Bytes that the output must begin with; they are not part of the result.
        max_new_tokens: For each sequence; those that only pay back ``owed`` do not count.
        n_sequences: How many continuations.
        first_sequence: The number of the first of them, for its source of randomness.
        sampling: How each token is chosen.
        is_finished: Told the bytes written so far, says whether that is enough.
        should_stop: The stop flag.
    """

    prompt: Sequence[int]
    owed: bytes = b""
    max_new_tokens: int
    n_sequences: int = 1
    first_sequence: int = 0
    sampling: Sampling = GREEDY
    is_finished: Callable[[bytes], bool] | None = None
    should_stop: Callable[[], bool] | None = None


@dataclass(kw_only=True)
class Written:
    """One continuation; ``text`` begins behind what was owed."""

    ids: list[int] = field(default_factory=list)
    text: bytes = b""
    log_probs: list[float] = field(default_factory=list)
    ending: Ending | None = None


@dataclass(kw_only=True)
class Decoding:
    """The outcome of a task and what it took."""

    written: list[Written]
    prompt_tokens: int
    reused_tokens: int
    computed_tokens: int = 0
    new_tokens: int = 0
    first_token_s: float | None = None


@dataclass(kw_only=True)
class _Sequence:
    written: Written
    owed: bytes
    left_tokens: int
    source: random.Random


class Decoder:
    """Runs tasks on one network, one after the other."""

    def __init__(
        self,
        network: Network,
        byte_table: Sequence[bytes],
        *,
        chunk_tokens: int,
    ) -> None:
        self._network = network
        n_unused = network.config.vocab_size - len(byte_table)  # padding of the output layer
        self._byte_table = [*byte_table, *[b""] * n_unused]
        self._vocabulary = VocabularyIndex(byte_table)
        self._chunk_tokens = chunk_tokens
        self._cache = network.new_cache()
        self._cached_ids: list[int] = []

    @torch.inference_mode()
    def run(self, task: Task) -> Decoding:
        """Reads the prompt and writes until every sequence has ended."""
        room = self._cache.room - len(task.prompt)
        if not task.prompt or room < 1:
            raise ValueError(f"a prompt of {len(task.prompt)} tokens does not fit")
        started = time.perf_counter()
        outcome = self._prepared(task)
        hidden = self._read(task, outcome)
        if hidden is None:
            for written in outcome.written:
                written.ending = Ending.CANCELLED
            return outcome
        self._write(task, outcome, hidden, room, started)
        return outcome

    def _prepared(self, task: Task) -> Decoding:
        """Cuts the cache back to what the prompt shares with it."""
        reused = common_length(self._cached_ids, task.prompt)
        reused = min(reused, len(task.prompt) - 1)  # the last token's hidden state is needed
        self._cache.truncate(reused)
        del self._cached_ids[reused:]
        return Decoding(
            written=[Written() for _ in range(task.n_sequences)],
            prompt_tokens=len(task.prompt),
            reused_tokens=reused,
        )

    def _read(self, task: Task, outcome: Decoding) -> Tensor | None:
        """Computes the rest of the prompt; None if stopped on the way."""
        hidden = None
        for start in range(outcome.reused_tokens, len(task.prompt), self._chunk_tokens):
            if task.should_stop is not None and task.should_stop():
                return None
            chunk = list(task.prompt[start : start + self._chunk_tokens])
            hidden = self._network.extend(torch.tensor([chunk]), self._cache)
            self._cached_ids += chunk
            outcome.computed_tokens += len(chunk)
        return hidden

    def _write(
        self, task: Task, outcome: Decoding, hidden: Tensor, room: int, started: float
    ) -> None:
        running = [
            _Sequence(
                written=written,
                owed=task.owed,
                left_tokens=task.max_new_tokens,
                source=task.sampling.source(task.first_sequence + index),
            )
            for index, written in enumerate(outcome.written)
        ]
        cache = self._own_cache(task, room)
        hidden = hidden.expand(len(running), -1)  # [B, C]
        while running:
            logits = self._network.logits(hidden)  # [B, V]
            chosen = [self._step(task, s, row) for s, row in zip(running, logits, strict=True)]
            outcome.new_tokens += len(chosen)
            outcome.first_token_s = outcome.first_token_s or time.perf_counter() - started
            room -= 1
            self._end_all(task, running, is_full=room < 1)
            rows = [i for i, sequence in enumerate(running) if sequence.written.ending is None]
            if not rows:
                break
            if len(rows) < len(running):
                cache.keep(rows)
                running = [running[i] for i in rows]
            fed = [chosen[i] for i in rows]
            hidden = self._network.extend(torch.tensor(fed).unsqueeze(1), cache)
            if cache is self._cache:
                self._cached_ids += fed

    def _own_cache(self, task: Task, room: int) -> KeyValues:
        """One sequence goes on in the kept cache; several get copies of it."""
        if task.n_sequences == 1:
            return self._cache
        new = min(room, task.max_new_tokens + len(task.owed))
        return self._cache.repeated(task.n_sequences, room=len(task.prompt) + new)

    def _step(self, task: Task, sequence: _Sequence, logits: Tensor) -> int:
        """Chooses a sequence's next token and takes it down."""
        written, is_healing = sequence.written, bool(sequence.owed)
        if is_healing:
            allowed = torch.tensor(self._vocabulary.allowed(sequence.owed))
            token_id = int(allowed[choose(logits[allowed], task.sampling, sequence.source)])
        else:
            token_id = choose(logits, task.sampling, sequence.source)
        written.log_probs.append(float(logits[token_id] - logits.logsumexp(dim=-1)))
        written.ids.append(token_id)
        token = self._byte_table[token_id]
        written.text += token[len(sequence.owed) :]
        sequence.owed = sequence.owed[len(token) :]
        if not token:  # end of text, or another special token: no text can follow
            written.ending = Ending.END_OF_TEXT
        if written.text or not is_healing:
            sequence.left_tokens -= 1
        return token_id

    def _end_all(self, task: Task, running: list[_Sequence], *, is_full: bool) -> None:
        is_cancelled = task.should_stop is not None and task.should_stop()
        for sequence in running:
            written = sequence.written
            if written.ending is not None:
                continue
            if task.is_finished is not None and written.text and task.is_finished(written.text):
                written.ending = Ending.FINISHED
            elif is_cancelled:
                written.ending = Ending.CANCELLED
            elif is_full or sequence.left_tokens < 1:
                written.ending = Ending.MAX_TOKENS


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Returns how many leading items two sequences share."""
    n = min(len(first), len(second))
    if list(first[:n]) == list(second[:n]):
        return n
    return next(i for i in range(n) if first[i] != second[i])
