"""The memory of tokens against a plain count of all that followed."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from server.memory.gate import N_FEATURES, N_OUTPUTS, Certainty, Gate, describe_token
from server.memory.mixture import Mixture
from server.memory.suffix_index import SuffixIndex, pack_tokens
from server.memory.token_memory import (
    MAX_CONTEXT_TOKENS,
    HiddenText,
    Match,
    MemoryPart,
    TokenMemory,
)

VOCAB_SIZE = 12


def count_following(texts, context, n):
    """Counts what follows the last ``n`` tokens of ``context`` in a text, the plain way."""
    last = list(context[len(context) - n :])
    counts, n_found = Counter(), 0
    for text in texts:
        for at in range(len(text) - n + 1):
            if text[at : at + n] == last:
                n_found += 1
                if at + n < len(text):
                    counts[text[at + n]] += 1
    return counts, n_found


def find_plainly(texts, context):
    """What :meth:`TokenMemory.find` should return, as (tokens, counts)."""
    context = context[-MAX_CONTEXT_TOKENS:]
    found, n_before = [], 0
    for n in range(len(context), 0, -1):
        counts, n_found = count_following(texts, context, n)
        if n_found > n_before:
            if counts:
                found.append((n, dict(counts)))
            n_before = n_found
        if len(found) == 2:
            break
    return found


def draw_texts(rng, n_texts, n_tokens):
    """Random texts that repeat parts of themselves."""
    texts = []
    for _ in range(n_texts):
        text = rng.integers(0, VOCAB_SIZE, n_tokens).tolist()
        for _ in range(4):
            at, to = rng.integers(0, n_tokens - 20, 2)
            text[to : to + 20] = text[at : at + 20]
        texts.append(text)
    return texts


def make_memory(texts):
    indexes = [SuffixIndex.build(pack_tokens(text, VOCAB_SIZE)) for text in texts]
    return TokenMemory([MemoryPart(index=index) for index in indexes])


def join(texts):
    """Returns an index of texts, each behind a separator, and where they start."""
    tokens = [i for text in texts for i in (VOCAB_SIZE, *text)]
    index = SuffixIndex.build(pack_tokens([*tokens, VOCAB_SIZE], VOCAB_SIZE + 1))
    return index, np.cumsum([0, *(1 + len(text) for text in texts)]).tolist()


def make_gate(seed=0, n_hidden=6):
    rng = np.random.default_rng(seed)
    shapes = {
        "hidden": (N_FEATURES, n_hidden),
        "hidden_bias": (n_hidden,),
        "output": (n_hidden, N_OUTPUTS),
        "output_bias": (N_OUTPUTS,),
    }
    return Gate(**{k: rng.normal(size=s).astype(np.float32) for k, s in shapes.items()})


@pytest.mark.parametrize("seed", range(6))
def test_matches_are_those_of_a_plain_count(seed):
    """If it fails, the memory claims what nobody wrote."""
    rng = np.random.default_rng(seed)
    texts = draw_texts(rng, 1 + seed % 3, 150)
    memory = make_memory(texts)
    for _ in range(60):
        text = texts[rng.integers(len(texts))]
        end = int(rng.integers(1, len(text)))
        context = text[max(0, end - int(rng.integers(1, 40))) : end]
        if rng.random() < 0.5:
            context = [*context, int(rng.integers(0, VOCAB_SIZE))]
        found = [
            (m.n_tokens, dict(zip(m.ids.tolist(), m.counts.tolist(), strict=True)))
            for m in memory.find(context)
        ]
        assert found == find_plainly(texts, context)


@pytest.mark.parametrize("seed", range(4))
def test_hidden_texts_do_not_count(seed):
    """If it fails, a file is completed from its own older state."""
    rng = np.random.default_rng(seed)
    texts = draw_texts(rng, 4, 80)
    texts[1][-9:-3] = texts[3][-6:] = texts[0][:6]  # goes on in one, and ends in another
    index, starts = join(texts)
    hidden = [HiddenText(index, starts[n], starts[n + 1]) for n in (0, 2)]
    memory = TokenMemory([MemoryPart(index=index, separator=VOCAB_SIZE, hidden=hidden)])
    left = [texts[n] for n in (1, 3)]
    for _ in range(60):
        text = texts[rng.integers(len(texts))]
        end = int(rng.integers(1, len(text)))
        context = text[max(0, end - int(rng.integers(1, 30))) : end]
        found = [
            (m.n_tokens, dict(zip(m.ids.tolist(), m.counts.tolist(), strict=True)))
            for m in memory.find(context)
        ]
        assert found == find_plainly(left, context)


def test_texts_of_a_mapped_file_can_be_hidden(tmp_path):
    """If it fails, no file of an indexed workspace is completed at all."""
    tokens = pack_tokens([9, 1, 2, 3, 9, 1, 2, 4, 9], VOCAB_SIZE)
    tokens.tofile(tmp_path / "tokens")
    built = SuffixIndex.build(tokens)
    mapped = np.memmap(tmp_path / "tokens", dtype=tokens.dtype, mode="r")
    index = SuffixIndex(mapped, built.order)
    memory = TokenMemory([MemoryPart(index=index, hidden=[HiddenText(index, 0, 4)])])
    (match, *_) = memory.find([1, 2])
    assert match.ids.tolist() == [4]


@pytest.mark.parametrize("vocab_size", [300, 1 << 17])
def test_ids_of_several_bytes_are_compared_as_numbers(vocab_size):
    ids = [1, 256, 2, 257, 1, 256, 255, vocab_size - 1, 1, 256]
    index = SuffixIndex.build(pack_tokens(ids, vocab_size))
    memory = TokenMemory([MemoryPart(index=index)])
    (match, *_) = memory.find([257, 1, 256])
    assert (match.n_tokens, match.ids.tolist()) == (3, [255])
    assert memory.find([vocab_size - 1])[0].ids.tolist() == [1]


def test_nothing_is_found_in_nothing():
    for memory in (TokenMemory([]), make_memory([[]])):
        assert memory.find([1, 2, 3]) == []
        assert memory.guess([1, 2, 3], 4) == []
    assert make_memory([[1, 2, 3]]).find([]) == []
    assert make_memory([[1, 2, 3]]).find([3]) == []  # nothing follows it
    assert make_memory([[1, 2, 3]]).find([2, 4]) == []  # larger than all that is there


def test_guesses_continue_a_long_match():
    memory = make_memory([[1, 2, 3, 4, 5, 6, 7]])
    assert memory.guess([9, 2, 3, 4], 2) == [5, 6]
    assert memory.guess([2, 3, 4], 9) == [5, 6, 7]
    assert memory.guess([9, 3, 4], 2) == []  # two tokens are no ground for it


def test_the_end_of_a_text_is_no_ground_for_anything():
    """If it fails, an unfinished file takes suggestions from those that begin like it."""
    index, _ = join([[1, 2, 3, 4], [5, 2, 3, 4, 6], [7, 3, 4, 8]])
    memory = TokenMemory([MemoryPart(index=index, separator=VOCAB_SIZE)])
    found = [(m.n_tokens, m.ids.tolist()) for m in memory.find([1, 2, 3, 4])]
    assert found == [(3, [6]), (2, [6, 8])]
    assert memory.guess([1, 2, 3, 4], 3) == []
    assert memory.guess([5, 2, 3], 3) == [4, 6]  # and not on into the next text
    only, _ = join([[1, 2, 3]])
    assert TokenMemory([MemoryPart(index=only, separator=VOCAB_SIZE)]).find([2, 3]) == []


def mix_plainly(logits, matches, gate, allowed):
    """The mixture in plain Python."""
    ids = range(len(logits)) if allowed is None else allowed
    total = sum(math.exp(logits[i]) for i in ids)
    probabilities = {i: math.exp(logits[i]) / total for i in ids}
    kept = []
    for n, counts in matches:
        left = {i: c for i, c in counts.items() if i in probabilities}
        if left:
            kept.append(
                Match(
                    n_tokens=n,
                    ids=np.array(sorted(left)),
                    counts=np.array([left[i] for i in sorted(left)]),
                )
            )
    if not kept:
        return probabilities
    first, second = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[:2]
    certainty = Certainty(best_id=first, best=probabilities[first], second=probabilities[second])
    weights = gate.weigh(describe_token(certainty, kept), len(kept))
    mixed = {i: weights[0] * p for i, p in probabilities.items()}
    for weight, match in zip(weights[1:], kept, strict=True):
        for i, count in zip(match.ids.tolist(), match.counts.tolist(), strict=True):
            mixed[i] += weight * count / match.total
    return mixed


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("is_healing", [False, True])
def test_the_mixture_is_that_of_a_plain_implementation(seed, is_healing):
    rng = np.random.default_rng(seed)
    texts = draw_texts(rng, 2, 120)
    gate = make_gate(seed)
    mixture = Mixture(make_memory(texts), gate)
    for _ in range(20):
        end = int(rng.integers(3, 120))
        context = texts[0][end - 3 : end]
        allowed = sorted(rng.choice(VOCAB_SIZE, 4, replace=False).tolist()) if is_healing else None
        logits = rng.normal(size=VOCAB_SIZE)
        mixed = mixture.mix(
            torch.tensor(logits, dtype=torch.float32),
            context,
            None if allowed is None else torch.tensor(allowed),
        )
        found, alone = mixed.log_probs.exp(), mixed.alone.exp()
        expected = mix_plainly(logits, find_plainly(texts, context), gate, allowed)
        assert found.sum() == pytest.approx(1, abs=1e-5)
        for i in range(VOCAB_SIZE):
            assert float(found[i]) == pytest.approx(expected.get(i, 0), abs=1e-5)
            if found[i] > 1e-3 and alone[i] > 1e-3:
                assert mixed.gain(i) == pytest.approx(math.log(found[i] / alone[i]), abs=1e-3)


def test_a_gate_is_read_as_it_was_written():
    gate = make_gate()
    again = Gate.from_json(gate.to_json())
    features = np.ones(N_FEATURES, np.float32)
    assert again.weigh(features, 2).tolist() == gate.weigh(features, 2).tolist()
    assert gate.weigh(features, 1).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": [[1.0]]},
        {"hidden": None},
        {"output_bias": [float("nan")] * N_OUTPUTS},
        {"output": "a"},
        {"hidden_bias": [1.0]},
    ],
)
def test_a_damaged_gate_is_refused(change):
    with pytest.raises(ValueError, match="the gate's"):
        Gate.from_json({**make_gate().to_json(), **change})


def test_a_text_is_found_by_what_occurs_in_it():
    """If it fails, a suggestion is said to come from another file, or the user's from nobody."""
    texts = [[1, 2, 3, 4], [5, 6, 3, 4, 7]]
    index = SuffixIndex.build(pack_tokens([0, *texts[0], 0, *texts[1], 0], VOCAB_SIZE))
    part = MemoryPart(index=index, find_path=lambda at: "a.py" if at < 5 else "b.py")
    memory = TokenMemory([part])
    assert memory.locate([9, 9, 2, 3, 4]) == "a.py"
    assert memory.locate([2, 6, 3, 4]) == "b.py"
    assert memory.locate([11]) is None
    assert (memory.knows([6, 3, 4]), memory.knows([2, 3, 7])) == (True, False)
    hidden = HiddenText(index, 0, 5)
    assert not TokenMemory([MemoryPart(index=index, hidden=[hidden])]).knows([2, 3])
