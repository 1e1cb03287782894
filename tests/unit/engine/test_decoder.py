"""The engine against naive equivalents: no cache, no healing, one sequence at a time."""

import os
import random

import pytest
import torch

from server.engine.decoder import Decoder
from server.engine.generation_request import FinishReason, GenerationRequest, Prompt, Sampling
from server.engine.kv_cache import KVCachePool, common_length
from server.engine.network import Network
from server.engine.prompt_lookup import PromptLookup
from server.engine.sampling import sample_token
from server.engine.token_healing import VocabularyIndex
from server.engine.weights.huge_pages import HugePages
from server.engine.weights.precision import fastest_precision, resolve_precision
from server.engine.weights.quantized_linear import make_linear
from training.artifact.directory import load_artifact


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return load_artifact(tiny_artifact)


def new_decoder(artifact, precision="float32", **options):
    return Decoder(
        Network(artifact.config, artifact.weights, precision),
        artifact.tokenizer.byte_table,
        **{"chunk_tokens": 32, **options},
    )


def generate(decoder, ids, max_new_tokens, *, required_bytes=b"", **values):
    prompt = Prompt(ids=ids, required_bytes=required_bytes)
    return decoder.generate(prompt, GenerationRequest(max_new_tokens=max_new_tokens, **values))


def naive_greedy(artifact, prompt, owed, n_tokens):
    """Runs the whole text at each step, and tries the whole vocabulary against the bytes."""
    model, table = artifact.model(), artifact.tokenizer.byte_table
    ids, log_probs = list(prompt), []
    for _ in range(n_tokens):
        with torch.inference_mode():
            logits = model(torch.tensor([ids]))[0, -1]
        scores = logits.clone()
        if owed:
            for i, token in enumerate(table):
                if not token or not (token.startswith(owed) or owed.startswith(token)):
                    scores[i] = float("-inf")
        best = int(scores.argmax())
        log_probs.append(float(logits.log_softmax(-1)[best]))
        ids.append(best)
        if not table[best]:
            break
        owed = owed[len(table[best]) :]
    return ids[len(prompt) :], log_probs


def test_cached_decoding_equals_naive_decoding(artifact, known_module):
    """A cache that is off by one token gives plausible, wrong suggestions."""
    decoder = new_decoder(artifact)
    ids = [artifact.end_of_text_id, *artifact.tokenizer.encode(known_module)]
    chance = random.Random(3)
    for _ in range(25):
        length = chance.randint(1, len(ids))
        prompt = ids[:length]
        for _ in range(chance.randint(0, 2)):  # a change somewhere, as editing makes it
            prompt[chance.randrange(length)] = chance.randrange(16, artifact.config.vocab_size)
        outcome = generate(decoder, prompt, 6)
        wanted, log_probs = naive_greedy(artifact, prompt, b"", 6)
        assert outcome.sequences[0].ids == wanted
        assert outcome.sequences[0].log_probs == pytest.approx(log_probs, abs=1e-3)
        assert outcome.usage.reused_tokens + outcome.usage.computed_tokens == len(prompt)


def test_healing_equals_brute_force(artifact, known_module):
    """Healed output must begin with the removed text and be the model's best way to do so."""
    decoder = new_decoder(artifact)
    tokenizer, chance = artifact.tokenizer, random.Random(4)
    for _ in range(25):
        cut = chance.randint(1, len(known_module) - 1)
        ids = [artifact.end_of_text_id, *tokenizer.encode(known_module[:cut])]
        n_removed = min(chance.randint(1, 4), len(ids) - 1)
        owed = tokenizer.decode_bytes(ids[-n_removed:])
        outcome = generate(decoder, ids[:-n_removed], 16, required_bytes=owed)
        written = outcome.sequences[0]
        wanted, _ = naive_greedy(artifact, ids[:-n_removed], owed, len(written.ids))
        assert written.ids == wanted
        assert tokenizer.decode_bytes(written.ids) == owed + written.text


def test_the_index_finds_exactly_the_tokens_that_fit(artifact):
    """A missing token makes the model write something it does not mean."""
    table = artifact.tokenizer.byte_table
    index = VocabularyIndex(table)
    chance = random.Random(5)
    owed_texts = [b"\n        ret", " é😋".encode(), b"\xf0\x9d", b" ", b"self.ra"]
    owed_texts += [bytes(chance.choices(range(256), k=chance.randint(1, 4))) for _ in range(60)]
    for owed in owed_texts:
        fits = [i for i, t in enumerate(table) if t and (t.startswith(owed) or owed.startswith(t))]
        assert index.allowed_ids(owed) == fits
        assert fits


def test_several_sequences_equal_each_alone(artifact, known_module):
    """pass@k must not depend on how many samples are drawn at once."""
    decoder = new_decoder(artifact)
    prompt = [artifact.end_of_text_id, *artifact.tokenizer.encode(known_module[:150])]
    sampling = Sampling(temperature=3.0, top_p=1.0, seed=7)

    def draw(first, n):
        result = generate(
            decoder,
            prompt,
            20,
            required_bytes=b"\n",
            n_sequences=n,
            first_sequence=first,
            sampling=sampling,
            is_complete=lambda text: b"(" in text,
        )
        return [sequence.ids for sequence in result.sequences]

    together = draw(0, 6)
    assert together == [draw(i, 1)[0] for i in range(6)]
    assert together == draw(0, 4) + draw(4, 2)
    assert len(set(map(tuple, together))) > 1


def test_unchanged_text_computes_one_token(artifact, known_module):
    """Asking again for unchanged text must be nearly free, even after other output."""
    decoder = new_decoder(artifact)
    prompt = [artifact.end_of_text_id, *artifact.tokenizer.encode(known_module[:300])]
    first = generate(decoder, prompt, 5)
    again = generate(decoder, prompt, 5)
    assert (first.usage.computed_tokens, again.usage.computed_tokens) == (len(prompt), 1)
    accepted = generate(decoder, prompt + first.sequences[0].ids[:4], 1)
    assert accepted.usage.computed_tokens == 1


@pytest.mark.parametrize("n_asked_before_stop", [0, 1, 3])
def test_the_stop_flag_ends_a_request_at_once_and_leaves_a_sound_cache(
    artifact, known_module, n_asked_before_stop
):
    """While typing, most requests are cancelled: if it fails, each costs the next one time."""
    decoder = new_decoder(artifact, chunk_tokens=16)
    prompt = [artifact.end_of_text_id, *artifact.tokenizer.encode(known_module[:200])]
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > n_asked_before_stop

    outcome = generate(decoder, prompt, 50, should_stop=should_stop)
    assert outcome.sequences[0].finish_reason is FinishReason.CANCELLED
    assert len(asked) == n_asked_before_stop + 1
    after = generate(decoder, prompt, 5).sequences[0].ids
    assert after == naive_greedy(artifact, prompt, b"", 5)[0]


def test_a_full_context_ends_the_text(artifact):
    """A long prompt must give a short answer, not an error."""
    decoder = new_decoder(artifact)
    room = artifact.config.n_positions
    for left in (1, 2, 5):
        prompt = [artifact.end_of_text_id] + [300] * (room - left - 1)
        written = generate(decoder, prompt, 50).sequences[0]
        assert 1 <= len(written.ids) <= left
        is_full = len(written.ids) == left
        reasons = {FinishReason.END_OF_TEXT, *([FinishReason.MAX_TOKENS] if is_full else [])}
        assert written.finish_reason in reasons


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_only_the_last_tokens_need_a_last_layer(artifact, precision):
    """If it fails, a prompt that was read in pieces is another one than the model was given."""
    network = Network(artifact.config, artifact.weights, precision)
    source = torch.Generator().manual_seed(1)
    ids = torch.randint(16, artifact.config.vocab_size, (1, 150), generator=source)
    whole, pieces = network.new_cache(), network.new_cache()
    hidden = network.extend(ids, whole)
    assert network.extend(ids[:, :140], pieces, n_last=0).shape[1] == 0
    last = network.extend(ids[:, 140:], pieces, n_last=3)
    assert torch.allclose(last, hidden[:, -3:], atol=2e-2 if precision == "int8" else 1e-4)
    assert torch.allclose(whole.filled, pieces.filled, atol=2e-2 if precision == "int8" else 1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_lower_precisions_agree_with_float32(artifact, known_module, precision):
    """If it fails, a faster machine gives other suggestions."""
    prompt = [artifact.end_of_text_id, *artifact.tokenizer.encode(known_module[:400])]
    found = []
    for kind in ("float32", precision):
        network = Network(artifact.config, artifact.weights, kind)
        hidden = network.extend(torch.tensor([prompt]), network.new_cache())
        found.append(network.logits(hidden[:, -1]).softmax(-1))
    assert torch.allclose(*found, atol=0.05)


def test_an_int8_row_does_not_depend_on_the_other_rows():
    """If it fails, the cache depends on how the text was typed."""
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(96, 64, generator=generator), torch.randn(96, generator=generator)
    rows = torch.randn(33, 64, generator=generator) * 10.0 ** torch.arange(33)[:, None].sub(16)
    matrix = make_linear(weight, bias, "int8", HugePages())
    together = matrix(rows)
    assert torch.equal(together, torch.cat([matrix(row[None]) for row in rows]))
    assert torch.equal(together, matrix(rows[None])[0])
    exact = torch.nn.functional.linear(rows, weight)
    found = make_linear(weight, None, "int8", HugePages())(rows)
    error = (found - exact)[10:]  # below, all is nearly zero
    assert float((error / exact[10:].abs().amax(dim=1, keepdim=True)).abs().max()) < 0.02
    assert torch.equal(matrix(torch.zeros(2, 64)), bias.expand(2, -1))


def test_the_fastest_precision_is_a_known_one():
    assert fastest_precision() in {"int8", "bfloat16", "float32"}
    assert resolve_precision("bfloat16") == "bfloat16"


def test_int8_runs_without_amx_unless_the_user_says_so(monkeypatch):
    """If it fails, a token takes three times as long on processors with AMX."""
    limit = "ONEDNN_MAX_CPU_ISA"
    monkeypatch.delenv(limit, raising=False)
    resolve_precision("bfloat16")  # which is fastest with them
    assert limit not in os.environ
    resolve_precision("int8")
    assert os.environ[limit] == "AVX512_CORE_BF16"
    monkeypatch.setenv(limit, "AVX2")
    resolve_precision("int8")
    assert os.environ[limit] == "AVX2"


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_guessing_changes_nothing_but_the_number_of_steps(
    artifact, known_module, precision, temperature
):
    """If it fails, a suggestion depends on what else is in the file."""
    plain = new_decoder(artifact, precision)
    guessing = new_decoder(artifact, precision, max_guesses=6)
    tokenizer, chance = artifact.tokenizer, random.Random(6)
    other = tokenizer.encode(known_module)
    n_steps = {False: 0, True: 0}
    for _ in range(20):
        cut = chance.randint(1, len(known_module) - 1)
        ids = [artifact.end_of_text_id, *tokenizer.encode(known_module[:cut])]
        n_removed = min(chance.randint(0, 3), len(ids) - 1)
        prompt = Prompt(
            ids=ids[: len(ids) - n_removed],
            required_bytes=tokenizer.decode_bytes(ids[len(ids) - n_removed :]),
            lookup_ids=[other],
        )
        request = GenerationRequest(
            max_new_tokens=chance.randint(1, 40),
            sampling=Sampling(temperature=temperature, seed=cut),
            is_complete=lambda text: text.count(b"\n") > 2,
        )
        first, second = plain.generate(prompt, request), guessing.generate(prompt, request)
        assert second.sequences[0].ids == first.sequences[0].ids
        (one,), (two,) = first.sequences, second.sequences
        assert (two.text, two.finish_reason) == (one.text, one.finish_reason)
        assert two.log_probs == pytest.approx(one.log_probs, abs=2e-3)
        n_steps[False] += first.usage.steps
        n_steps[True] += second.usage.steps
        assert guessing.generate(prompt, request).usage.computed_tokens == 1  # the cache is sound
    assert n_steps[True] < (0.6 if temperature == 0 else 1.0) * n_steps[False]


def test_guesses_are_what_followed_before():
    lookup = PromptLookup([1, 2, 3, 4, 5, 6, 9, 1, 2, 3], [[70, 71, 72, 73, 74, 75]])
    assert lookup.guess(8) == [4, 5, 6, 9]  # three tokens known: four guessed
    assert lookup.guess(1) == [4]
    lookup.append(70)
    assert lookup.guess(8) == []
    lookup.append(71)
    assert lookup.guess(8) == [72, 73]  # from the other text
    assert PromptLookup([5]).guess(4) == []
    wide = 1 << 24 | 1 << 16 | 1 << 8 | 1  # its bytes stand at many places
    assert PromptLookup([wide, wide, 2, wide, wide]).guess(4) == [2, wide]


def test_each_document_keeps_its_cache(artifact, known_module):
    """If it fails, switching between two files reads each of them again."""
    tokenizer = artifact.tokenizer
    texts = [known_module[:300], known_module[300:600], known_module[600:900]]
    prompts = [[artifact.end_of_text_id, *tokenizer.encode(text)] for text in texts]
    several = new_decoder(artifact, cache_bytes=1 << 30)
    one = new_decoder(artifact)
    for decoder in (several, one):
        for prompt in prompts:
            assert generate(decoder, prompt, 2).usage.computed_tokens > 1
    assert [generate(several, p, 2).usage.computed_tokens for p in prompts] == [1, 1, 1]
    again = [generate(one, p, 2).usage for p in prompts]
    assert all(usage.computed_tokens > len(texts[0]) // 8 for usage in again)
    assert (several.n_cached, one.n_cached) == (3, 1)


def test_caches_stay_within_their_budget(artifact):
    network = Network(artifact.config, artifact.weights, "float32")
    one = network.new_cache().bytes_for(40)
    caches = KVCachePool(network.new_cache, 2 * one)

    def read(start):
        prompt = Prompt(ids=list(range(start, start + 40)))
        cached = caches.acquire(prompt)
        n_reused = len(cached.ids)
        network.extend(torch.tensor([prompt.ids[n_reused:]]), cached.cache)
        cached.ids += prompt.ids[n_reused:]
        return n_reused

    assert [read(start) for start in (0, 100, 200, 300)] == [0, 0, 0, 0]
    assert (len(caches), caches.n_bytes) == (2, 2 * one)
    assert [read(start) for start in (300, 200, 0)] == [39, 39, 0]


def test_nucleus_sampling_follows_the_probabilities():
    """A biased sampler makes pass@k wrong, and nothing shows it."""
    scores = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    source = random.Random(0)
    n = 4000
    drawn = [sample_token(scores, Sampling(temperature=1.0, top_p=0.8), source) for _ in range(n)]
    assert set(drawn) == {0, 1}
    assert drawn.count(0) / n == pytest.approx(0.5 / 0.8, abs=0.03)
    assert {sample_token(scores, Sampling(top_p=1.0), source) for _ in range(20)} == {0}
    with pytest.raises(ValueError, match="top_p"):
        Sampling(top_p=0.0)


def test_common_length():
    assert common_length([], [1]) == 0
    assert common_length([1, 2, 3], [1, 2]) == 2
    assert common_length([1, 2, 3], [1, 4, 3]) == 1
