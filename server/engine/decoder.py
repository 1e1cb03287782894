"""The decoder: reads a prompt, reusing what the cache already holds, and writes token after token.

It keeps caches across requests (:mod:`server.engine.kv_cache`): what a new prompt shares with one
of them is not computed again. A single sequence is written with drafts: guesses at the next tokens
are read together with the last one, and as many are kept as the model would have written itself. A
stop flag is looked at before every step and between the chunks of a prompt, so a cancelled request
ends within one of them; what was computed stays usable. One thread at a time. It knows ids and
bytes only; what is a good place to stop, the caller says by a predicate.

Tensor legend: B sequences, T new tokens, C embedding width, V vocabulary.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from server.engine.generation_request import Decoding, Ending, Task, Written
from server.engine.kv_cache import Kept, KeptCaches
from server.engine.network import Network
from server.engine.prompt_lookup import Drafts
from server.engine.sampling import choose
from server.engine.token_healing import VocabularyIndex


@dataclass(kw_only=True)
class _Sequence:
    written: Written
    owed: bytes
    left_tokens: int
    source: random.Random


class Decoder:
    """Runs tasks on one network, one after the other.

    Args:
        network: The model.
        byte_table: The bytes of each id; none for special tokens.
        chunk_tokens: How much of a prompt is read between two looks at the stop flag.
        cache_bytes: For the caches of all documents.
        max_guesses: Tokens guessed for a step; 0 for plain decoding.
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
        self._caches = KeptCaches(network.new_cache, cache_bytes)

    @property
    def n_cached(self) -> int:
        """Of how many documents something is kept."""
        return len(self._caches)

    @torch.inference_mode()
    def run(self, task: Task) -> Decoding:
        """Reads the prompt and writes until every sequence has ended."""
        room = self._network.config.n_positions - len(task.prompt)
        if not task.prompt or room < 1:
            raise ValueError(f"a prompt of {len(task.prompt)} tokens does not fit")
        started = time.perf_counter()
        kept = self._caches.take(task.prompt)
        outcome = Decoding(
            written=[Written() for _ in range(task.n_sequences)],
            prompt_tokens=len(task.prompt),
            reused_tokens=len(kept.ids),
        )
        hidden = self._read(task, kept, outcome)
        if hidden is None:
            for written in outcome.written:
                written.ending = Ending.CANCELLED
        elif task.n_sequences == 1:
            self._write_one(task, kept, outcome, hidden, started)
        else:
            self._write_several(task, kept, outcome, hidden, started)
        return outcome

    def _read(self, task: Task, kept: Kept, outcome: Decoding) -> Tensor | None:
        """Computes the rest of the prompt; returns its end's ``[1, C]``, None if stopped."""
        hidden = torch.empty(0)
        for start in range(outcome.reused_tokens, len(task.prompt), self._chunk_tokens):
            if task.should_stop is not None and task.should_stop():
                return None
            chunk = list(task.prompt[start : start + self._chunk_tokens])
            hidden = self._network.extend(torch.tensor([chunk]), kept.values)
            kept.ids += chunk
            outcome.computed_tokens += len(chunk)
        return hidden[:, -1]

    def _write_one(
        self, task: Task, kept: Kept, outcome: Decoding, hidden: Tensor, started: float
    ) -> None:
        """Writes into the kept cache, verifying guesses on the way."""
        (sequence,) = _sequences(task, outcome)
        drafts = Drafts(task.prompt, task.similar)
        room = kept.values.room - len(task.prompt)
        guesses: list[int] = []
        while True:
            n_right = 0
            for row in self._network.logits(hidden):  # [T, V], one behind each token that was fed
                token_id = self._step(task, sequence, row)
                outcome.new_tokens += 1
                outcome.first_token_s = outcome.first_token_s or time.perf_counter() - started
                drafts.add(token_id)
                self._end_all(task, [sequence], is_full=room - outcome.new_tokens < 1)
                is_right = n_right < len(guesses) and token_id == guesses[n_right]
                if sequence.written.ending is not None or not is_right:
                    break
                n_right += 1
            kept.ids += guesses[:n_right]
            kept.values.truncate(len(kept.ids))
            if sequence.written.ending is not None:
                return
            most = min(self._max_guesses, room - outcome.new_tokens - 1, sequence.left_tokens - 1)
            guesses = drafts.guess(most) if most > 0 and not sequence.owed else []
            fed = torch.tensor([[token_id, *guesses]])
            hidden = self._network.extend(fed, kept.values)[0]  # [T, C]
            kept.ids.append(token_id)
            outcome.steps += 1
            outcome.guessed_tokens += len(guesses)

    def _write_several(
        self, task: Task, kept: Kept, outcome: Decoding, hidden: Tensor, started: float
    ) -> None:
        """Writes into copies of the kept cache, one token a step for each sequence."""
        running = _sequences(task, outcome)
        room = kept.values.room - len(task.prompt)
        new = min(room, task.max_new_tokens + len(task.owed))
        cache = kept.values.repeated(task.n_sequences, room=len(task.prompt) + new)
        hidden = hidden.expand(len(running), -1)  # [B, C]
        while True:
            logits = self._network.logits(hidden)  # [B, V]
            chosen = [self._step(task, s, row) for s, row in zip(running, logits, strict=True)]
            outcome.new_tokens += len(chosen)
            outcome.first_token_s = outcome.first_token_s or time.perf_counter() - started
            room -= 1
            self._end_all(task, running, is_full=room < 1)
            rows = [i for i, sequence in enumerate(running) if sequence.written.ending is None]
            if not rows:
                return
            if len(rows) < len(running):
                cache.keep(rows)
                running = [running[i] for i in rows]
            fed = torch.tensor([[chosen[i]] for i in rows])
            hidden = self._network.extend(fed, cache)[:, -1]
            outcome.steps += 1

    def _step(self, task: Task, sequence: _Sequence, logits: Tensor) -> int:
        """Chooses a sequence's next token and takes it down."""
        written, is_healing = sequence.written, bool(sequence.owed)
        if is_healing:
            allowed = torch.tensor(self._vocabulary.allowed(sequence.owed))
            logits = logits[allowed]
            at = choose(logits, task.sampling, sequence.source)
            token_id = int(allowed[at])
        else:
            at = token_id = choose(logits, task.sampling, sequence.source)
        written.log_probs.append(float(logits[at] - logits.logsumexp(dim=-1)))
        written.ids.append(token_id)
        token = self._byte_table[token_id]
        written.text += token[len(sequence.owed) :]
        written.ends.append(len(written.text))
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
            elif task.is_hopeless is not None and task.is_hopeless(written):
                written.ending = Ending.HOPELESS
            elif is_cancelled:
                written.ending = Ending.CANCELLED
            elif is_full or sequence.left_tokens < 1:
                written.ending = Ending.MAX_TOKENS


def _sequences(task: Task, outcome: Decoding) -> list[_Sequence]:
    return [
        _Sequence(
            written=written,
            owed=task.owed,
            left_tokens=task.max_new_tokens,
            source=task.sampling.source(task.first_sequence + index),
        )
        for index, written in enumerate(outcome.written)
    ]
