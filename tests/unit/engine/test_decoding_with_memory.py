"""The decoder with a memory against a loop without a cache or guesses that mixes each step."""

import random

import numpy as np
import pytest
import torch

from server.engine.decoder import Decoder
from server.engine.generation_request import GenerationRequest, Prompt, Sampling
from server.engine.network import Network
from server.engine.sampling import sample_token
from server.memory.gate import N_FEATURES, N_OUTPUTS, Gate
from server.memory.mixture import Mixture
from server.memory.suffix_index import SuffixIndex, pack_tokens
from server.memory.token_memory import MemoryPart, TokenMemory
from training.artifact.directory import load_artifact

N_NEW_TOKENS = 12


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return load_artifact(tiny_artifact)


@pytest.fixture(scope="module")
def ids(artifact, known_module):
    return [artifact.end_of_text_id, *artifact.tokenizer.encode(known_module)]


@pytest.fixture(scope="module")
def mixture(artifact, ids):
    """A memory of the module with some tokens changed, and a gate that trusts it more."""
    chance = random.Random(1)
    changed = [chance.choice(ids) if chance.random() < 0.3 else i for i in ids]
    index = SuffixIndex.build(pack_tokens(changed, artifact.config.vocab_size))
    zeros = np.zeros
    gate = Gate(
        hidden=zeros((N_FEATURES, 1), np.float32),
        hidden_bias=zeros(1, np.float32),
        output=zeros((1, N_OUTPUTS), np.float32),
        output_bias=np.array([-1.0, 0.0, 0.0], np.float32),
    )
    return Mixture(TokenMemory([MemoryPart(index=index)]), gate)


def new_decoder(artifact, **options):
    network = Network(artifact.config, artifact.weights, "float32")
    return Decoder(network, artifact.tokenizer.byte_table, **{"chunk_tokens": 32, **options})


def generate_plainly(artifact, prompt, required, mixture, sampling=None, sequence=0):
    """Runs the whole text at each step, and tries the whole vocabulary against the bytes."""
    model, table = artifact.model(), artifact.tokenizer.byte_table
    sampling = sampling or Sampling()
    generator = sampling.generator(sequence)
    ids, log_probs, left = list(prompt), [], N_NEW_TOKENS
    while left:
        with torch.inference_mode():
            logits = model(torch.tensor([ids]))[0, -1]
        fits = [
            i
            for i, token in enumerate(table)
            if not required
            or (token and (token.startswith(required) or required.startswith(token)))
        ]
        mixed = mixture.mix(logits, ids, torch.tensor(fits) if required else None).log_probs
        at = sample_token(mixed[fits], sampling, generator)
        log_probs.append(float(mixed[fits[at]]))
        ids.append(fits[at])
        text_begins = len(table[fits[at]]) > len(required)
        left -= text_begins or not required
        required = required[len(table[fits[at]]) :]
        if not table[fits[at]]:
            break
    return ids[len(prompt) :], log_probs


@pytest.mark.parametrize("max_guesses", [0, 6])
def test_greedy_text_and_its_certainty_are_the_mixtures(artifact, ids, mixture, max_guesses):
    """If it fails, reuse, guesses or healing change what the memory says."""
    decoder = new_decoder(artifact, max_guesses=max_guesses)
    chance, n_guessed, n_changed = random.Random(2), 0, 0
    for _ in range(12):
        length = chance.randint(6, len(ids) - 40)
        prompt = ids[:length]
        n_removed = chance.choice([0, 0, 1, 3])
        required = artifact.tokenizer.decode_bytes(prompt[length - n_removed :])
        kept = prompt[: length - n_removed]
        request = GenerationRequest(max_new_tokens=N_NEW_TOKENS)
        result = decoder.generate(Prompt(ids=kept, required_bytes=required), request, mixture)
        expected, log_probs = generate_plainly(artifact, kept, required, mixture)
        assert result.sequences[0].ids == expected
        assert result.sequences[0].log_probs == pytest.approx(log_probs, abs=2e-3)
        n_guessed += result.usage.guessed_tokens
        without = decoder.generate(Prompt(ids=kept, required_bytes=required), request)
        n_changed += without.sequences[0].ids != expected
    assert n_changed  # the memory says something
    assert (n_guessed > 0) == (max_guesses > 0)


def test_samples_are_drawn_from_the_mixture_whatever_the_batch(artifact, ids, mixture):
    decoder = new_decoder(artifact)
    sampling = Sampling(temperature=1.5, top_p=0.95, seed=3)
    prompt, required = ids[:80], b"\n"
    request = GenerationRequest(max_new_tokens=N_NEW_TOKENS, n_sequences=4, sampling=sampling)
    result = decoder.generate(Prompt(ids=prompt, required_bytes=required), request, mixture)
    for number, sequence in enumerate(result.sequences):
        expected, _ = generate_plainly(artifact, prompt, required, mixture, sampling, number)
        assert sequence.ids == expected
