"""Samples in batches: whatever runs beside a sample, it is the one that would be drawn alone."""

import random
from dataclasses import replace

import pytest
import torch

from server.engine.batched import batch_decoder
from server.engine.batched.batch_decoder import BatchDecoder
from server.engine.batched.device import resolve_device, resolve_device_precision
from server.engine.batched.row_sampling import choose_tokens
from server.engine.batched.sample_cache import SampleCache
from server.engine.decoder import Decoder
from server.engine.generation_request import (
    FinishReason,
    GenerationRequest,
    Prompt,
    Sampling,
    TokenUsage,
)
from server.engine.network import Network
from server.engine.sampling import sample_token
from training.artifact.directory import load_artifact
from training.foundation.errors import ConfigError, PrerequisiteError

HOT = Sampling(temperature=2.0, top_p=0.98, seed=7)


class WatchedNetwork(Network):
    """Records how many rows each pass has; more than ``most_rows`` do not fit into memory."""

    most_rows = 1_000_000

    def extend(self, ids, cache, **options):
        self.rows = [*getattr(self, "rows", []), len(ids)]
        if len(ids) > self.most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return super().extend(ids, cache, **options)


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return load_artifact(tiny_artifact)


@pytest.fixture(scope="module")
def prompt(artifact, known_module):
    ids = [artifact.end_of_text_id, *artifact.tokenizer.encode(known_module[:260])]
    return Prompt(ids=ids[:-2], required_bytes=artifact.tokenizer.decode_bytes(ids[-2:]))


@pytest.fixture
def network(artifact):
    return WatchedNetwork(artifact.config, artifact.weights, "float32")


def new_decoder(network, artifact, **options):
    return Decoder(network, artifact.tokenizer.byte_table, chunk_tokens=128, **options)


def draw(decoder, prompt, n, *, first=0, sampling=HOT, max_new_tokens=24, **values):
    request = GenerationRequest(
        max_new_tokens=max_new_tokens,
        n_sequences=n,
        first_sequence=first,
        sampling=sampling,
        is_complete=lambda text: text.count(b"\n") > 1,
        **values,
    )
    return decoder.generate(prompt, request)


def texts_of(result):
    return [(s.ids, s.text, s.ends, s.finish_reason) for s in result.sequences]


def test_rows_are_sampled_as_each_alone():
    """If it fails, pass@k of a batch estimates something else than suggestions are."""
    source, chance = torch.Generator().manual_seed(0), random.Random(0)
    for size in (7, 100, 1024, 1000):
        logits = torch.randn(40, size, generator=source) * 10.0 ** chance.uniform(-1, 1)
        logits[10:20] = logits[10:20].round()  # ties, as in bfloat16
        logits[20:25, : size // 2] = float("-inf")
        logits[25:30, 3:] = float("-inf")
        logits[30] = 0.0  # the nucleus is nearly everything
        for temperature, top_p in ((0.0, 1.0), (0.8, 0.95), (1.0, 1.0), (1.7, 0.5), (3.0, 1.0)):
            sampling = Sampling(temperature=temperature, top_p=top_p)
            draws = [random.Random(number).random() for number in range(len(logits))]
            alone = [
                sample_token(row, sampling, random.Random(number))
                for number, row in enumerate(logits)
            ]
            assert choose_tokens(logits, sampling, draws).tolist() == alone


def test_a_sample_does_not_depend_on_the_batch(network, artifact, prompt):
    """If it fails, equal seeds give other samples with another --n, batch or budget."""
    decoder = new_decoder(network, artifact)
    together = texts_of(draw(decoder, prompt, 12))
    alone = [texts_of(draw(decoder, prompt, 1, first=number))[0] for number in range(12)]
    assert together == alone
    assert len({text for _, text, _, _ in together}) > 6
    row = SampleCache.row_bytes(artifact.config, 24 + len(prompt.required_bytes), torch.float32)
    row += batch_decoder._LOGITS_COPIES * 4 * artifact.config.vocab_size
    network.rows = []
    small = new_decoder(network, artifact, batch_bytes=5 * row)
    assert texts_of(draw(small, prompt, 12)) == together
    assert max(network.rows) == 5
    assert texts_of(draw(small, prompt, 7, first=2)) == together[2:9]


def test_log_probabilities_are_those_of_a_sample_alone(network, artifact, prompt):
    decoder = new_decoder(network, artifact)
    together = draw(decoder, prompt, 4).sequences
    for number, sequence in enumerate(together):
        (alone,) = draw(decoder, prompt, 1, first=number).sequences
        assert sequence.log_probs == pytest.approx(alone.log_probs, abs=1e-3)


def test_steps_of_fixed_shapes_give_the_same(network, artifact, prompt, monkeypatch):
    """If it fails, a recorded step sees tokens that are not there, or misses some."""
    sampling = Sampling(temperature=1.0, top_p=0.9, seed=1)
    options = {"sampling": sampling, "max_new_tokens": 150}
    exact = draw(new_decoder(network, artifact), prompt, 5, **options)
    assert max(len(sequence.ids) for sequence in exact.sequences) > 8
    decoder = new_decoder(network, artifact)
    decoder._batches = BatchDecoder(
        network, decoder._byte_table, decoder._vocabulary, is_recorded=True
    )
    monkeypatch.setattr(decoder._batches, "_block", 8)
    assert texts_of(draw(decoder, prompt, 5, **options)) == texts_of(exact)
    shorter = Prompt(ids=prompt.ids[:40])
    again = texts_of(draw(decoder, shorter, 3, **options))  # in the cache of the last batch
    assert again == texts_of(draw(new_decoder(network, artifact), shorter, 3, **options))


def test_sequences_that_end_leave_the_batch(network, artifact, prompt):
    """If it fails, a batch costs what its longest sample costs, times all."""
    decoder = new_decoder(network, artifact)
    network.rows = []
    result = draw(decoder, prompt, 16, max_new_tokens=60)
    rows = network.rows[1:]  # without the prompt
    assert rows == sorted(rows, reverse=True)
    lengths = [len(sequence.ids) for sequence in result.sequences]
    assert sum(rows) == sum(lengths) - len(lengths)  # no step for what has ended
    assert result.usage.computed_tokens == len(prompt.ids)  # the prompt is read once


def test_half_as_many_are_tried_when_memory_runs_out(network, artifact, prompt):
    """If it fails, a budget that was measured too large ends a run of hours."""
    expected = texts_of(draw(new_decoder(network, artifact), prompt, 12))
    decoder = new_decoder(network, artifact)
    network.most_rows, network.rows = 4, []
    result = draw(decoder, prompt, 12)
    assert texts_of(result) == expected
    assert [n for n in network.rows if n > 4] == [12, 6]
    assert result.usage.new_tokens == sum(len(ids) for ids, *_ in expected)
    draw(decoder, prompt, 12)
    assert max(network.rows[-20:]) <= 4  # it remembers
    decoder = new_decoder(network, artifact)
    draw(decoder, prompt, 1)  # the prompt is read
    network.most_rows = 0
    with pytest.raises(PrerequisiteError, match="not enough memory to generate one"):
        decoder._batches.generate(_task(decoder, prompt))


def _task(decoder, prompt):
    cached = decoder._caches.acquire(replace(prompt, ids=[*prompt.ids, 0]))
    return batch_decoder.BatchTask(
        prompt=prompt,
        cache=cached.cache,
        hidden=torch.zeros(1, 64),
        request=GenerationRequest(max_new_tokens=8, n_sequences=3, sampling=HOT),
        usage=TokenUsage(),
        started=0.0,
    )


def test_a_cancelled_batch_ends_at_once(network, artifact, prompt):
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 4

    decoder = new_decoder(network, artifact, batch_bytes=1)  # one after the other
    result = draw(decoder, prompt, 50, should_stop=should_stop)
    assert len(result.sequences) == 50
    reasons = [sequence.finish_reason for sequence in result.sequences]
    assert reasons.count(FinishReason.CANCELLED) > 45
    assert len(network.rows) < 12


def test_a_full_context_ends_every_sample(network, artifact):
    ids = [artifact.end_of_text_id] + [300] * (artifact.config.n_positions - 3)
    result = draw(new_decoder(network, artifact), Prompt(ids=ids), 4, max_new_tokens=50)
    assert all(1 <= len(sequence.ids) <= 2 for sequence in result.sequences)


def test_a_device_that_is_not_here_is_one_sentence(monkeypatch):
    """If it fails, a mistake in the settings is a traceback of PyTorch's."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto", n_parameters=10**9) == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"engine.device is 'cuda', but PyTorch finds no such"):
        resolve_device("cuda", n_parameters=1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "6")
    assert resolve_device("auto", n_parameters=10**9) == torch.device("cuda", 2)
    assert resolve_device("auto", n_parameters=10**7) == torch.device("cpu")
    assert resolve_device("auto", n_parameters=10**9, precision="int8") == torch.device("cpu")
    with pytest.raises(ConfigError, match="which only a CPU multiplies"):
        resolve_device("cuda", n_parameters=1, precision="int8")
    assert resolve_device_precision("float32", torch.device("cuda")) == "float32"
