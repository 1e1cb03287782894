"""Tensors in large pages: the same values, whether or not the system has such pages."""

import mmap

import pytest
import torch

from server.engine.weights.huge_pages import HugePages, make_zeros

LINUX_ONLY = pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="Linux has these pages")


@pytest.fixture(params=[True, False], ids=["huge", "ordinary"])
def has_huge_pages(request, monkeypatch):
    if not request.param:
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    return request.param


def test_tensors_keep_their_values_side_by_side(has_huge_pages):
    """If it fails, one layer's weights overwrite another's."""
    pages, generator = HugePages(), torch.Generator().manual_seed(0)
    shapes = [(3, 5), (1, 1), (64, 1024), (0, 7), (7,), (65 << 20,)]
    kinds = [torch.float32, torch.int8, torch.bfloat16, torch.float32, torch.int8, torch.int8]
    given = [
        torch.randint(-9, 9, shape, generator=generator).to(kind)
        for shape, kind in zip(shapes, kinds, strict=True)
    ]
    held = [pages.hold(tensor) for tensor in given]
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(given, held, strict=True))
    assert all(tensor.is_contiguous() for tensor in held)
    transposed = pages.hold(given[2].t())
    assert transposed.is_contiguous()
    assert torch.equal(transposed, given[2].t())


def test_a_cache_begins_with_zeros(has_huge_pages):
    zeros = make_zeros((2, 3, 500_000), torch.float32)
    assert zeros.shape == (2, 3, 500_000)
    assert not zeros.any()
    zeros += 1
    assert float(zeros.sum()) == 3_000_000
    assert make_zeros((2, 0, 4), torch.float32).shape == (2, 0, 4)


@LINUX_ONLY
def test_large_tensors_begin_at_a_large_page():
    """If it fails, their first part lies in small pages, or all of them do."""
    assert make_zeros((1 << 20,), torch.float32).data_ptr() % (2 << 20) == 0
