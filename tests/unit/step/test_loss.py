"""The loss and its gradient, whole and by slices of rare tokens, against plain cross-entropy."""

import pytest
import torch
from torch.nn import functional

from training.step import loss
from training.step.loss import IGNORED, next_token_loss, select_columns, token_losses

VOCABULARY = 50


@pytest.fixture
def problem():
    chance = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 40, 16, generator=chance, requires_grad=True)
    weight = torch.randn(VOCABULARY, 16, generator=chance, requires_grad=True)
    targets = torch.randint(0, VOCABULARY, (3, 40), generator=chance)
    targets[:, -1] = IGNORED
    return hidden, weight, targets


def plain_gradients(hidden, weight, targets):
    plain = functional.cross_entropy((hidden @ weight.t()).flatten(0, 1), targets.flatten())
    return plain, torch.autograd.grad(plain, (hidden, weight))


def test_chunked_loss_equals_cross_entropy(monkeypatch, problem):
    """If it fails, training minimises something else than it prints."""
    monkeypatch.setattr("training.step.loss.CHUNK_LOGITS", VOCABULARY * 7)
    plain, wanted = plain_gradients(*problem)
    chunked, losses = next_token_loss(*problem)
    torch.testing.assert_close(chunked, plain)
    torch.testing.assert_close(losses[:, :-1].mean(), plain)
    assert not losses[:, -1].any()
    torch.testing.assert_close(torch.autograd.grad(chunked, problem[:2]), wanted)
    hidden, weight, targets = problem
    flat = token_losses(hidden[:, :-1].flatten(0, 1), weight, targets[:, :-1].flatten())
    torch.testing.assert_close(flat.mean(), plain)


@pytest.mark.parametrize("n_slices", [1, 2, 5, 8])
def test_slices_average_to_the_gradient(monkeypatch, problem, n_slices):
    """If it fails, training goes somewhere else than down, slowly and without a sign of it."""
    plain, wanted = plain_gradients(*problem)
    found = []
    for number in range(n_slices):
        columns = select_columns(torch.tensor(number), VOCABULARY, n_slices)
        monkeypatch.setattr(loss, "select_columns", lambda *_, columns=columns: columns)
        estimated, losses = next_token_loss(*problem, n_slices=n_slices)
        torch.testing.assert_close(losses[:, :-1].mean(), plain)
        found.append(torch.autograd.grad(estimated, problem[:2]))
    means = tuple(torch.stack(parts).mean(0) for parts in zip(*found, strict=True))
    torch.testing.assert_close(means, wanted)


def test_a_block_is_estimated_alike_in_every_batch(problem):
    """If it fails, a run on two machines is another run than on one."""
    hidden, weight, targets = problem
    together, _ = next_token_loss(hidden, weight, targets, n_slices=4)
    (wanted,) = torch.autograd.grad(together, hidden)
    for block in range(len(targets)):
        one = slice(block, block + 1)
        alone, _ = next_token_loss(hidden[one], weight, targets[one], n_slices=4)
        (found,) = torch.autograd.grad(alone, hidden)
        torch.testing.assert_close(found[one] / len(targets), wanted[one])


@pytest.mark.parametrize("n_slices", [1, 3, 7])
def test_every_token_is_in_one_slice(n_slices):
    taken = torch.zeros(VOCABULARY)
    for number in range(n_slices):
        for part, times in select_columns(torch.tensor(number), VOCABULARY, n_slices):
            taken[part] += times / n_slices
    torch.testing.assert_close(taken, torch.ones(VOCABULARY))
