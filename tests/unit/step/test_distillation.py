"""Training with a teacher: the divergence, where it counts, and what is refused."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import save_artifact
from training.artifact.manifest import Manifest
from training.artifact.network.config import GPT2Config
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.config import DistilConfig, PretrainConfig
from training.foundation.errors import ConfigError
from training.shards.blocks import Blocks
from training.step.distillation import Teacher, compute_divergence, load_teacher
from training.step.init_weights import initialise
from training.step.objective import LossModule, average_losses, to_tensors

CONFIG = GPT2Config(vocab_size=70, n_positions=32, n_embd=24, n_layer=2, n_head=3)
EXACT = PretrainConfig(dtype="float32", rare_token_slices=1)


def make_network(seed, config=CONFIG, n_rows=None):
    network = GPT2(config, n_rows=n_rows)
    initialise(network, torch.Generator().manual_seed(seed))
    return network


def make_batch():
    """Returns four blocks: two of text, one of which is distilled in part, and one as a whole."""
    ids = torch.randint(0, 70, (4, 32), generator=torch.Generator().manual_seed(0))
    firsts, is_distilled = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    firsts[1, 20:] = 20
    is_distilled[1, 20:], is_distilled[3] = True, True
    return ids, firsts, torch.zeros_like(is_distilled), is_distilled


def compare(network, teacher, batch):
    """Returns loss, sums and gradients."""
    loss, sums = LossModule(network, EXACT, teacher)(*batch)
    found = torch.autograd.grad(loss, list(network.parameters()))
    return loss.detach(), sums, found


def test_the_divergence_is_that_of_the_textbook(monkeypatch):
    """If it fails, what a model remembers is pulled to something else than what it knew."""
    monkeypatch.setattr("training.step.distillation.CHUNK_LOGITS", 50 * 7)
    chance = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(40, 16, generator=chance), torch.randn(50, 16, generator=chance)
    teacher_hidden, teacher_hidden_weight = torch.randn(40, 9, generator=chance), torch.randn(50, 9)
    inputs = (hidden.requires_grad_(), weight.requires_grad_())
    log_q = functional.log_softmax(teacher_hidden @ teacher_hidden_weight.t(), -1)
    plain = functional.kl_div(
        functional.log_softmax(hidden @ weight.t(), -1),
        log_q,
        reduction="batchmean",
        log_target=True,
    )
    mean, each = compute_divergence(hidden, weight, teacher_hidden, teacher_hidden_weight)
    torch.testing.assert_close(mean, plain)
    torch.testing.assert_close(each.mean(), plain)
    wanted = torch.autograd.grad(plain, inputs)
    torch.testing.assert_close(torch.autograd.grad(mean, inputs), wanted)


def test_the_loss_is_of_text_and_teacher_each_where_it_belongs():
    """If it fails, a model learns what it should keep, or keeps what it should learn."""
    network, teacher = make_network(1, n_rows=128), make_network(2)
    ids, firsts, _, is_distilled = batch = make_batch()
    loss, sums, found = compare(network, Teacher(model=teacher, weight=3.0), batch)
    spans = DocumentSpans(firsts)
    log_p, log_q = (
        functional.log_softmax(n.logits(n.compute_hidden(ids, documents=spans)), -1)[:, :-1]
        for n in (network, teacher)
    )
    at = is_distilled[:, :-1]
    texts = -log_p.gather(-1, ids[:, 1:, None])[..., 0][~at]
    each = (log_q.exp() * (log_q - log_p)).sum(-1)[at]
    wanted = (texts.sum() + 3 * each.sum()) / at.numel()
    torch.testing.assert_close(loss, wanted)
    assert sums[:, 1].tolist() == [float((~at).sum()), 0.0, float(at.sum())]
    means = average_losses(sums)
    assert means.total == means.left_to_right == pytest.approx(float(texts.detach().mean()))
    assert means.distilled == pytest.approx(float(each.detach().mean()))
    gradients = torch.autograd.grad(wanted, list(network.parameters()))
    for one, other in zip(found, gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_a_network_that_is_its_teacher_is_left_alone():
    network = make_network(1)
    batch = [*make_batch()[:3], torch.ones(4, 32, dtype=torch.bool)]
    loss, sums, found = compare(network, Teacher(model=make_network(1), weight=1.0), batch)
    assert float(loss) == pytest.approx(0.0, abs=1e-6)
    assert max(float(g.abs().max()) for g in found) < 1e-6
    assert average_losses(sums).total == pytest.approx(0.0, abs=1e-6)


def test_without_a_teacher_everything_is_text():
    """Also blocks that say which of their tokens would be distilled, as no run has them."""
    batch, network = make_batch(), make_network(1)
    assert torch.equal(compare(network, None, batch)[0], compare(network, None, batch[:3])[0])


def test_the_teacher_is_no_part_of_the_network():
    """If it fails, it is trained too, and saved with every checkpoint."""
    network = make_network(1)
    module = LossModule(network, EXACT, Teacher(model=make_network(2), weight=1.0))
    assert len(list(module.parameters())) == len(list(network.parameters()))


def test_blocks_say_what_is_distilled_only_for_a_teacher():
    array = np.zeros((2, 8), dtype=np.int64)
    plain = Blocks(array, array, array > 0)
    assert len(to_tensors(plain, torch.device("cpu"))) == 3
    marked = dataclasses.replace(plain, is_distilled=array > 0)
    assert len(to_tensors(marked, torch.device("cpu"))) == 4


def test_a_teacher_with_another_vocabulary_or_a_shorter_context_is_refused(
    byte_tokenizer, tmp_path
):
    config = dataclasses.replace(CONFIG, vocab_size=byte_tokenizer.vocab_size)
    saved = {
        "config": config,
        "weights": make_network(1, config).state_dict(),
        "tokenizer": byte_tokenizer,
    }
    save_artifact(tmp_path / "m", **saved, manifest=Manifest(context_tokens=32), card="")
    distil, device = DistilConfig(teacher=tmp_path / "m", weight=2.0), torch.device("cpu")
    teacher = load_teacher(distil, EXACT, byte_tokenizer, device, block_tokens=32)
    assert teacher.weight == 2.0
    assert not any(p.requires_grad for p in teacher.model.parameters())
    assert load_teacher(DistilConfig(), EXACT, byte_tokenizer, device, block_tokens=32) is None
    foreign = CodeTokenizer.load(BUNDLED_MODEL / "tokenizer.json")
    with pytest.raises(ConfigError, match="another tokenizer"):
        load_teacher(distil, EXACT, foreign, device, block_tokens=32)
    with pytest.raises(ConfigError, match="reads at most 32 tokens, but this run's blocks have 33"):
        load_teacher(distil, EXACT, byte_tokenizer, device, block_tokens=33)
