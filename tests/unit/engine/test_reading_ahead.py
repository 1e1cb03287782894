"""What is read before it is needed, and why something was not: counted in tokens, never in time."""

from itertools import count

import pytest
import torch

from server.engine.decoder import Decoder
from server.engine.generation_request import GenerationRequest, Prompt, RereadReason
from server.engine.kv_cache import KVCachePool
from server.engine.network import Network
from training.artifact.directory import load_artifact

MANY = 1 << 30
REQUEST = GenerationRequest(max_new_tokens=3)


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return load_artifact(tiny_artifact)


@pytest.fixture(scope="module")
def network(artifact):
    return Network(artifact.config, artifact.weights, "float32")


@pytest.fixture(scope="module")
def lines(artifact, known_module):
    return artifact.tokenizer.encode(known_module)


def new_decoder(artifact, network, cache_bytes=MANY):
    table = artifact.tokenizer.byte_table
    return Decoder(network, table, chunk_tokens=32, cache_bytes=cache_bytes)


def never():
    return False


def test_what_was_read_ahead_is_not_read_again(artifact, network, lines):
    """If it fails, the first key at another place waits for the whole prompt."""
    here, there = Prompt(ids=lines[:120]), Prompt(ids=lines[120:240])
    decoder = new_decoder(artifact, network)
    expected = new_decoder(artifact, network).generate(there, REQUEST).sequences[0].ids
    assert decoder.generate(here, REQUEST).usage.computed_tokens == 120
    assert decoder.read_ahead(there, never).computed_tokens == 120
    assert decoder.read_ahead(there, never).computed_tokens == 0
    result = decoder.generate(there, REQUEST)
    assert (result.usage.computed_tokens, result.usage.reread) == (1, None)
    assert result.sequences[0].ids == expected
    assert decoder.generate(here, REQUEST).usage.computed_tokens == 1  # nor is this one lost


def test_a_window_that_begins_alike_is_copied_and_both_stay(artifact, network, lines):
    """If it fails, reading the next window ahead makes the next key of this one slow."""
    decoder = new_decoder(artifact, network)
    head, now, next_ = lines[:60], lines[100:200], lines[140:210]
    decoder.generate(Prompt(ids=head + now, n_head=60), REQUEST)
    assert decoder.read_ahead(Prompt(ids=head + next_, n_head=60), never).computed_tokens == 70
    for rest in (now, next_, now):
        ids = head + rest
        result = decoder.generate(Prompt(ids=ids, n_head=60), REQUEST)
        assert result.usage.computed_tokens == 1
        fresh = new_decoder(artifact, network).generate(Prompt(ids=ids), REQUEST)
        assert result.sequences[0].ids == fresh.sequences[0].ids


def test_what_was_read_before_an_interruption_stays(artifact, network, lines):
    """If it fails, a typist who never pauses long enough gets nothing from reading ahead."""
    decoder, prompt, calls = new_decoder(artifact, network), Prompt(ids=lines[:150]), count()
    assert decoder.read_ahead(prompt, lambda: next(calls) >= 3).computed_tokens == 96
    usage = decoder.generate(prompt, REQUEST).usage
    assert (usage.computed_tokens, usage.reread) == (54, RereadReason.NOT_FINISHED)


def test_one_cache_serves_all_if_there_is_room_for_no_other(artifact, network, lines):
    decoder = new_decoder(artifact, network, cache_bytes=0)
    for start in (0, 100, 200):
        decoder.generate(Prompt(ids=lines[start : start + 90]), REQUEST)
    assert decoder.n_cached == 1


def test_a_cache_takes_memory_for_what_it_holds(network, lines):
    """If it fails, the budget is enough for two or three places only."""
    caches = KVCachePool(network.new_cache, MANY)
    cached = caches.acquire(Prompt(ids=lines[:200]))
    assert cached.cache.n_bytes == 0
    network.extend(torch.tensor([lines[:200]]), cached.cache)
    assert cached.cache.n_bytes == cached.cache.bytes_for(200) < cached.cache.bytes_for(300)
    hidden = network.extend(torch.tensor([lines[200:201]]), cached.cache)
    whole = network.extend(torch.tensor([lines[:201]]), network.new_cache())
    assert torch.allclose(hidden[:, -1], whole[:, -1], atol=1e-4)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (("s", "c", "abcd"), None),
        (("s", "c", "abcde"), None),
        (("t", "c", "abcd"), RereadReason.SUFFIX_CHANGED),
        (("s", "d", "abcd"), RereadReason.CONTEXT_CHANGED),
        (("s", "", "abcd"), RereadReason.CONTEXT_CHANGED),
        (("s", "c", "cdef"), RereadReason.WINDOW_MOVED),
        (("s", "c", "abxdd"), RereadReason.TEXT_CHANGED),
        (("t", "c", "wxyz"), RereadReason.OTHER_PLACE),
        (("s", "c", "wxyz"), RereadReason.OTHER_PLACE),
    ],
)
def test_the_reason_of_a_second_reading_is_what_differs(artifact, network, parts, reason):
    """If it fails, the event log blames the wrong part of the prompt for slow requests."""

    def lay_out(head, context, prefix):
        starts = [100 + 20 * (ord(letter) - ord("a")) for letter in head + context + prefix]
        ids = [start + i for start in starts for i in range(20)]
        return Prompt(ids=ids, n_head=20 * len(head), n_context=20 * len(context))

    decoder = new_decoder(artifact, network)
    first = decoder.generate(lay_out("s", "c", "abcd"), REQUEST)
    assert first.usage.reread is RereadReason.NOTHING_READ
    assert decoder.generate(lay_out(*parts), REQUEST).usage.reread is reason
