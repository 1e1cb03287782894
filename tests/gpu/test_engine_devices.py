"""The engine on a device against itself on the CPU: here with the CPU as a device, and on a GPU.

Each test runs on ``cpu``, in the fixed shapes that a GPU needs, and with the mark ``gpu`` on
``cuda``, where steps are recorded as graphs.
"""

import pytest
import torch

from server.engine.batched.batch_decoder import BatchDecoder
from server.engine.decoder import Decoder
from server.engine.generation_request import GenerationRequest, Prompt, Sampling
from server.engine.network import Network
from training.artifact.directory import load_artifact


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return load_artifact(tiny_artifact)


def new_decoder(artifact, device, precision="float32", *, is_recorded=None):
    network = Network(artifact.config, artifact.weights, precision, device)
    decoder = Decoder(network, artifact.tokenizer.byte_table, chunk_tokens=64, max_guesses=4)
    decoder._batches = BatchDecoder(
        network, decoder._byte_table, decoder._vocabulary, is_recorded=is_recorded
    )
    return decoder


def prompts_of(artifact, known_module):
    tokenizer = artifact.tokenizer
    for cut in (60, 333, 700, 851):
        ids = [artifact.end_of_text_id, *tokenizer.encode(known_module[:cut])]
        yield Prompt(ids=ids[:-2], required_bytes=tokenizer.decode_bytes(ids[-2:]))


def texts_of(result):
    return [(s.ids, s.text, s.finish_reason) for s in result.sequences]


def test_greedy_tokens_in_float32_are_the_cpus(artifact, known_module, device):
    """If it fails, a model served from a GPU suggests something else than it was measured with."""
    cpu = new_decoder(artifact, torch.device("cpu"))
    other = new_decoder(artifact, device, is_recorded=True)
    for prompt in prompts_of(artifact, known_module):
        request = GenerationRequest(max_new_tokens=80)
        expected = cpu.generate(prompt, request)
        assert texts_of(other.generate(prompt, request)) == texts_of(expected)
        several = GenerationRequest(max_new_tokens=80, n_sequences=3)
        assert texts_of(other.generate(prompt, several)) == texts_of(expected) * 3
        found = other.generate(prompt, request).sequences[0].log_probs
        assert found == pytest.approx(expected.sequences[0].log_probs, abs=2e-3)


def test_samples_in_float32_are_the_cpus(artifact, known_module, device):
    """If it fails, pass@k on a GPU is that of another sampler."""
    cpu = new_decoder(artifact, torch.device("cpu"))
    other = new_decoder(artifact, device, is_recorded=True)
    sampling = Sampling(temperature=1.5, top_p=0.95, seed=3)
    n_equal = n_all = 0
    for prompt in prompts_of(artifact, known_module):
        request = GenerationRequest(max_new_tokens=70, n_sequences=9, sampling=sampling)
        pairs = zip(
            texts_of(cpu.generate(prompt, request)),
            texts_of(other.generate(prompt, request)),
            strict=True,
        )
        for expected, found in pairs:
            n_all += 1
            n_equal += expected == found
    assert n_equal >= 0.95 * n_all  # where two candidates are as good as equal, rounding decides


def test_bfloat16_is_close_to_float32(artifact, known_module, device):
    """If it fails, the precision that a GPU takes by itself costs quality."""
    single = Network(artifact.config, artifact.weights, "float32")
    half = Network(artifact.config, artifact.weights, "bfloat16", device)
    found = []
    ids = torch.tensor([next(prompts_of(artifact, known_module)).ids])
    for network in (single, half):
        hidden = network.extend(ids, network.new_cache())
        found.append(network.logits(hidden[:, -1]).softmax(-1).cpu())
    assert torch.allclose(*found, atol=0.05)


def test_bfloat16_repeats_itself_exactly(artifact, known_module, device):
    """If it fails, a run with the same seed and batch cannot be repeated."""
    decoder = new_decoder(artifact, device, "bfloat16", is_recorded=True)
    prompt = list(prompts_of(artifact, known_module))[1]
    sampling = Sampling(temperature=1.0, top_p=0.95, seed=5)
    request = GenerationRequest(max_new_tokens=70, n_sequences=12, sampling=sampling)
    first = texts_of(decoder.generate(prompt, request))
    assert texts_of(decoder.generate(prompt, request)) == first


def test_a_memory_budget_holds_on_the_device(artifact, known_module, device):
    """If it fails, a GPU that others use too runs out of memory."""
    decoder = new_decoder(artifact, device)
    decoder._batches._budget_bytes = 4 << 20
    prompt = next(prompts_of(artifact, known_module))
    sampling = Sampling(temperature=1.0, seed=5)
    request = GenerationRequest(max_new_tokens=30, n_sequences=200, sampling=sampling)
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
    assert len(decoder.generate(prompt, request).sequences) == 200
    n_rows, _, room = decoder._batches._cache.capacity
    row = decoder._batches._cache.row_bytes(artifact.config, room, torch.float32)
    assert n_rows * row <= 4 << 20
    if device.type == "cuda":
        assert torch.cuda.max_memory_allocated(device) - before < 64 << 20
