"""Tensors in large pages: the same values, whether or not the system has such pages."""

import errno
import mmap

import pytest
import torch

from server.engine.weights.huge_pages import HugePages, make_zeros


class RefusingMap(mmap.mmap):
    """Memory on a kernel that was built without large pages."""

    def madvise(self, *_):
        raise OSError(errno.EINVAL, "Invalid argument")


@pytest.fixture(params=["huge", "refused", "unknown"])
def system(request, monkeypatch):
    """What the system does about large pages."""
    if request.param == "refused":
        monkeypatch.setattr(mmap, "mmap", RefusingMap)
    elif request.param == "unknown":
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)


@pytest.mark.usefixtures("system")
def test_tensors_keep_their_values_side_by_side():
    """If it fails, one layer's weights overwrite another's."""
    holder, generator = HugePages(), torch.Generator().manual_seed(0)
    shapes = [(3, 5), (1, 1), (64, 1024), (0, 7), (7,), (65 << 20,)]
    kinds = [torch.float32, torch.int8, torch.bfloat16, torch.float32, torch.int8, torch.int8]
    given = [
        torch.randint(-9, 9, shape, generator=generator).to(kind)
        for shape, kind in zip(shapes, kinds, strict=True)
    ]
    held = [holder.hold(tensor) for tensor in given]
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(given, held, strict=True))
    assert all(tensor.is_contiguous() for tensor in held)
    transposed = holder.hold(given[2].t())
    assert transposed.is_contiguous()
    assert torch.equal(transposed, given[2].t())


@pytest.mark.usefixtures("system")
def test_a_cache_begins_with_zeros():
    zeros = make_zeros((2, 3, 500_000), torch.float32)
    assert zeros.shape == (2, 3, 500_000)
    assert not zeros.any()
    zeros += 1
    assert float(zeros.sum()) == 3_000_000
    assert make_zeros((2, 0, 4), torch.float32).shape == (2, 0, 4)


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="only Linux has these pages")
def test_large_tensors_begin_at_a_large_page():
    """If it fails, their first part lies in small pages, or all of them do."""
    assert make_zeros((1 << 20,), torch.float32).data_ptr() % (2 << 20) == 0
