"""Many continuations of one prompt at once, on any device.

The prompt's cache is shared (:mod:`server.engine.batched.sample_cache`), every step chooses a token
for each sequence, and those that end leave the batch. How many run at once is bounded by memory; if
it runs out all the same, half as many are tried.

What a sequence becomes does not depend on the others: its random numbers are a function of the
seed and its number alone, and so is every limit. In float32 and in 8-bit integers it has the same
tokens in a batch of any size, except where two candidates are closer than the rounding of a sum
(one part in a million). In bfloat16 sums of batches of different sizes are rounded differently by
up to a hundredth, so equal seeds give equal samples only for equal batch sizes.

Tensor legend: B sequences that run, C embedding width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from server.engine.batched.device import find_release, measure_budget
from server.engine.batched.row_sampling import choose_tokens
from server.engine.batched.sample_cache import SampleCache
from server.engine.batched.sequence_state import (
    SequenceState,
    begin_sequences,
    finish_sequences,
)
from server.engine.batched.step_runner import StepRunner
from server.engine.generation_request import (
    FinishReason,
    GeneratedSequence,
    GenerationRequest,
    Prompt,
    TokenUsage,
)
from server.engine.kv_cache import KVCache
from server.engine.network import Network
from server.engine.token_healing import VocabularyIndex
from server.memory.mixture import Mixture
from training.foundation.errors import PrerequisiteError, is_out_of_memory

_LOGITS_COPIES = 4  # of a sequence's row, while a token is chosen
_BLOCK = 64  # tokens by which shapes grow where they have to be fixed


@dataclass(frozen=True, kw_only=True)
class BatchTask:
    """What to generate after a prompt that the model has read.

    Attributes:
        prompt: The prompt.
        cache: Its keys and values, and no others.
        hidden: The hidden state after its last token ``[1, C]``.
        request: How much, how, and until when.
        usage: Counts what it costs.
        started: When work on the request began, by ``time.perf_counter()``.
        mixture: Mixes the model's distributions with a memory's.
    """

    prompt: Prompt
    cache: KVCache
    hidden: Tensor
    request: GenerationRequest
    usage: TokenUsage
    started: float
    mixture: Mixture | None = None

    @property
    def left(self) -> int:
        """How many tokens fit after the prompt."""
        return self.cache.room - self.cache.length

    @property
    def room(self) -> int:
        """How many tokens a sequence may have."""
        longest = self.request.max_new_tokens + len(self.prompt.required_bytes)
        return max(1, min(self.left, longest))


class BatchDecoder:
    """Generates several sequences after a prompt.

    Args:
        network: The model.
        byte_table: The bytes of each id; empty for special tokens.
        vocabulary: The same by bytes.
        budget_bytes: For the sequences that run at once; 0 for a share of the free memory.
        is_recorded: Whether steps have fixed shapes, as recorded graphs need; None for where
            they are recorded.
    """

    def __init__(
        self,
        network: Network,
        byte_table: Sequence[bytes],
        vocabulary: VocabularyIndex,
        *,
        budget_bytes: int = 0,
        is_recorded: bool | None = None,
    ) -> None:
        self._network = network
        self._byte_table = byte_table
        self._vocabulary = vocabulary
        is_recorded = network.device.type == "cuda" if is_recorded is None else is_recorded
        self._block = _BLOCK if is_recorded else 1
        self._runner = StepRunner(network)
        self._budget_bytes = budget_bytes
        self._most_rows: int | None = None  # known once memory has run out
        self._cache: SampleCache | None = None

    def generate(self, task: BatchTask) -> list[GeneratedSequence]:
        """Generates until every sequence has ended.

        Raises:
            PrerequisiteError: There is not enough memory for one of them.
        """
        request, usage = task.request, task.usage
        done: list[GeneratedSequence] = []
        while len(done) < request.n_sequences:
            n_rows = min(request.n_sequences - len(done), self._count_rows(task))
            numbers = range(len(done), len(done) + n_rows)
            states = begin_sequences(task.prompt, request, numbers)
            n_before = usage.new_tokens
            if not self._try_batch(task, states):
                usage.new_tokens = n_before
                self._give_way(n_rows)
                continue
            done += [state.sequence for state in states]
            if request.should_stop is not None and request.should_stop():
                n_left = request.n_sequences - len(done)
                reason = FinishReason.CANCELLED
                done += [GeneratedSequence(finish_reason=reason) for _ in range(n_left)]
        return done

    def _try_batch(self, task: BatchTask, states: Sequence[SequenceState]) -> bool:
        """Generates a batch; returns False if memory ran out."""
        try:
            cache = self._prepare_cache(task, len(states))
            self._run(task, list(states), cache)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def _give_way(self, n_rows: int) -> None:
        """Allows half as many sequences at once as just failed."""
        self._cache = None
        self._runner.forget()
        find_release(self._network.device)()
        if n_rows == 1:
            raise PrerequisiteError(
                "there is not enough memory to generate one completion; close other programs, use a"
                " smaller model, or set engine.device to 'cpu'"
            )
        self._most_rows = n_rows // 2

    def _count_rows(self, task: BatchTask) -> int:
        """Returns how many sequences fit into the budget."""
        if not self._budget_bytes:
            self._budget_bytes = measure_budget(self._network.device)
        config = self._network.config
        n_bytes = SampleCache.row_bytes(config, task.room, self._network.cache_dtype)
        n_bytes += _LOGITS_COPIES * torch.float32.itemsize * config.vocab_size
        n_rows = max(1, self._budget_bytes // n_bytes)
        return n_rows if self._most_rows is None else min(n_rows, self._most_rows)

    def _prepare_cache(self, task: BatchTask, n_rows: int) -> SampleCache:
        """Returns a cache that holds the prompt: the last one, if it is large enough."""
        network = self._network
        n_prompt = network.config.n_positions if self._block > 1 else task.cache.length
        needed = (self._runner.pad(n_rows), n_prompt, task.room)
        cache = self._cache
        if cache is None or any(n > has for n, has in zip(needed, cache.capacity, strict=True)):
            self._cache = None  # before there is a second one
            self._runner.forget()
            cache = self._cache = SampleCache(
                network.config,
                n_rows=needed[0],
                prompt_room=needed[1],
                room=needed[2],
                device=network.device,
                dtype=network.cache_dtype,
                block=self._block,
            )
        cache.start(task.cache)
        return cache

    def _run(self, task: BatchTask, running: list[SequenceState], cache: SampleCache) -> None:
        left = task.left
        logits = self._network.logits(task.hidden).expand(len(running), -1)  # [B, V]
        while True:
            chosen = self._choose(logits, task, running)
            task.usage.count_new(len(chosen), task.started)
            left -= 1
            finish_sequences(task.request, running, is_full=left < 1)
            drop_ended(running, chosen, cache)
            if not running:
                return
            logits = self._runner.step(chosen, cache)
            task.usage.steps += 1

    def _choose(
        self, logits: Tensor, task: BatchTask, running: Sequence[SequenceState]
    ) -> list[int]:
        """Chooses the next token of every sequence from ``[B, V]`` and appends it."""
        if task.mixture is not None:
            logits = self._mix(logits.cpu(), running, task.mixture)
        else:
            logits = self._mask(logits, running)
        sampling = task.request.sampling
        is_greedy = sampling.temperature == 0
        draws = [] if is_greedy else [state.generator.random() for state in running]
        chosen = choose_tokens(logits, sampling, draws)
        log_probs = logits.log_softmax(dim=-1).gather(1, chosen[:, None])[:, 0]
        ids: list[int] = chosen.tolist()
        for state, token_id, log_prob in zip(running, ids, log_probs.tolist(), strict=True):
            state.append(token_id, log_prob, self._byte_table[token_id])
        return ids

    def _mix(self, logits: Tensor, running: Sequence[SequenceState], mixture: Mixture) -> Tensor:
        """Returns the logarithms of what the model and a memory make together ``[B, V]``."""
        rows = []
        for state, row in zip(running, logits, strict=True):
            allowed = None
            if state.required_bytes:
                allowed = torch.tensor(self._vocabulary.allowed_ids(state.required_bytes))
            rows.append(mixture.mix(row, state.context, allowed).log_probs)
        return torch.stack(rows)

    def _mask(self, logits: Tensor, running: Sequence[SequenceState]) -> Tensor:
        """Returns the logits ``[B, V]``, minus infinity for tokens that may not come next."""
        healing: dict[bytes, list[int]] = {}
        for row, state in enumerate(running):
            if state.required_bytes:
                healing.setdefault(state.required_bytes, []).append(row)
        if not healing:
            return logits
        masked = logits.clone()
        for required, rows in healing.items():
            allowed = torch.tensor(self._vocabulary.allowed_ids(required), device=logits.device)
            is_hidden = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
            is_hidden[allowed] = False
            masked[rows] = logits[rows].masked_fill(is_hidden, float("-inf"))
        return masked


def drop_ended(running: list[SequenceState], chosen: list[int], cache: SampleCache) -> None:
    """Removes the sequences that have ended; the last ones take their places."""
    for row in reversed(range(len(running))):
        if running[row].sequence.finish_reason is None:
            continue
        last = len(running) - 1
        if row != last:
            cache.move(last, row)
            running[row], chosen[row] = running[last], chosen[last]
        del running[last], chosen[last]
