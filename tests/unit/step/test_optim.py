"""Parameter groups, schedule, masters."""

import dataclasses

import pytest
import torch

from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.config import OptimConfig
from training.foundation.errors import ConfigError
from training.step.init_weights import initialise
from training.step.optim import MasterOptimizer, schedule_factor, select_group

TINY = GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=2, n_head=2)


def tiny_model(dtype=torch.float32):
    model = GPT2(TINY)
    initialise(model, torch.Generator().manual_seed(0))
    return model.to(dtype)


class Written(dict):
    """A state as a checkpoint would give it back."""

    def read(self, key, rows=slice(None)):
        return self[key][rows] if self[key].ndim else self[key]

    def shape(self, key):
        return tuple(self[key].shape)


def one_step(model, optimizer, seed=0):
    ids = torch.randint(0, 64, (2, 16), generator=torch.Generator().manual_seed(seed))
    model(ids).float().logsumexp(-1).mean().backward()
    optimizer.take_gradients()
    optimizer.clip_gradients()
    optimizer.step(1.0)


def test_schedule_warms_up_holds_and_ends_at_zero():
    config = OptimConfig(warmup_steps=10, decay_share=0.5)
    factors = [schedule_factor(step, 100, config) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:51] == [1.0] * 42
    assert factors[75] == pytest.approx(0.5)
    assert factors[100] == 0.0
    assert factors[50:] == sorted(factors[50:], reverse=True)


def test_cosine_warms_up_and_ends_at_zero():
    config = OptimConfig(warmup_steps=10, schedule="cosine")
    factors = [schedule_factor(step, 110, config) for step in range(111)]
    assert factors[4] == pytest.approx(0.5)
    assert factors[10] == 1.0
    assert factors[60] == pytest.approx(0.5)
    assert factors[110] == pytest.approx(0.0)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_biases_and_gains_never_decay():
    names = {name: select_group(name, p) for name, p in tiny_model().named_parameters()}
    assert [n for n, g in names.items() if g == "embeddings"] == ["transformer.wte.weight"]
    assert [n for n, g in names.items() if g == "positions"] == ["transformer.wpe.weight"]
    assert all(g == "vectors" for n, g in names.items() if n.endswith("bias") or ".ln_" in n)
    assert all(
        g == "matrices" for n, g in names.items() if n.endswith(("attn.weight", "fc.weight"))
    )


@pytest.mark.parametrize("matrices", ["muon", "adamw"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_state_continues_like_the_original(matrices, dtype):
    """If it fails, a resumed run is another run."""
    config = OptimConfig(matrices=matrices)
    model = tiny_model(dtype)
    optimizer = MasterOptimizer(model, config)
    one_step(model, optimizer)
    state = {k: v.clone() for k, v in optimizer.state().items()}
    one_step(model, optimizer, seed=1)

    other = GPT2(TINY).to(dtype)
    resumed = MasterOptimizer(other, config)
    resumed.load_state(Written(state))
    one_step(other, resumed, seed=1)
    for (name, a), (_, b) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_masters_keep_what_bfloat16_would_lose():
    model = tiny_model(torch.bfloat16)
    optimizer = MasterOptimizer(model, OptimConfig(learning_rate=1e-6, matrix_learning_rate=1e-6))
    before = optimizer.state()["master/transformer.wte.weight"].clone()
    one_step(model, optimizer)
    after = optimizer.state()["master/transformer.wte.weight"]
    assert not torch.equal(before, after)
    assert model.transformer.wte.weight.dtype == torch.bfloat16


def test_state_of_another_model_is_refused():
    optimizer = MasterOptimizer(tiny_model(), OptimConfig())
    state = {"master/other.weight": torch.zeros(2)}
    with pytest.raises(ConfigError, match="a network of 1 parameters"):
        optimizer.load_state(Written(state))


@pytest.mark.parametrize(
    ("before", "after"), [("muon", "adamw"), ("adamw", "muon")], ids=["muon first", "adamw first"]
)
def test_state_of_another_optimiser_or_width_is_refused_and_changes_nothing(before, after):
    """If it fails, a run that is resumed with other settings ends in a traceback."""
    model = tiny_model()
    optimizer = MasterOptimizer(model, OptimConfig(matrices=before))
    one_step(model, optimizer)
    state = Written({k: v.clone() for k, v in optimizer.state().items()})
    other = tiny_model()
    weight = other.transformer.wte.weight.clone()
    with pytest.raises(ConfigError, match=f"another optimiser than optim.matrices = '{after}'"):
        MasterOptimizer(other, OptimConfig(matrices=after)).load_state(state)
    assert torch.equal(other.transformer.wte.weight, weight)
    wider = GPT2(dataclasses.replace(TINY, n_embd=2 * TINY.n_embd))
    with pytest.raises(ConfigError, match="has the shape"):
        MasterOptimizer(wider, OptimConfig(matrices=before)).load_state(state)
