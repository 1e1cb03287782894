"""The machine, and each faster kernel beside the plain form that it replaces."""

import platform
import statistics
import time

import torch
from torch.nn import functional

from training.artifact.network.attention import causal_attention, fused_attention
from training.artifact.network.document_spans import DocumentSpans
from training.step.hardware.batched_muon import BatchedMuon
from training.step.hardware.peak_flops import find_peak_flops, measure_peak_flops
from training.step.loss import next_token_loss

REPEATS = 10


def describe_machine(device, *, is_tiny):
    """Yields what the other rows were measured on."""
    where = torch.device(device)
    name = torch.cuda.get_device_name(where) if device == "cuda" else platform.processor()
    yield {"figure": "device", "value": name or device}
    yield {"figure": "PyTorch", "value": torch.__version__, "note": f"CUDA {torch.version.cuda}"}
    yield {"figure": "Python", "value": platform.python_version()}
    if is_tiny:
        return
    peak = find_peak_flops(torch.bfloat16, where)
    measured = measure_peak_flops(torch.bfloat16, where)
    yield {"figure": peak.source, "value": peak.flops_per_s / 1e12, "unit": "TFLOP/s"}
    yield {"figure": "measured", "value": measured / 1e12, "unit": "TFLOP/s"}
    if device == "cuda":
        memory = torch.cuda.get_device_properties(where).total_memory / 2**30
        yield {"figure": "memory", "value": memory, "unit": "GiB"}


def measure_kernels(device, *, is_tiny):
    """Yields the milliseconds of attention, loss and Muon, with the plain forms beside them."""
    where = torch.device(device)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    yield from compare("attention", attention_forms(where, dtype, is_tiny=is_tiny), where)
    yield from compare("loss", loss_forms(where, dtype, is_tiny=is_tiny), where)
    yield from compare("Muon", muon_forms(where, is_tiny=is_tiny), where)


def compare(what, forms, device):
    """Yields a row for each form, in turns."""
    for function in forms.values():
        function()
    times = {name: [] for name in forms}
    for _ in range(REPEATS):
        for name, function in forms.items():
            synchronize(device)
            started = time.perf_counter()
            function()
            synchronize(device)
            times[name].append(1000 * (time.perf_counter() - started))
    for name, values in times.items():
        yield {"figure": f"{what}: {name}", "value": statistics.median(values), "unit": "ms"}


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def attention_forms(device, dtype, *, is_tiny):
    """Forward and backward of small.toml's pass, with documents of a few hundred tokens."""
    b, t, h, d = (2, 64, 2, 16) if is_tiny else (12, 1024, 12, 64)
    qkv = torch.randn(b, t, 3, h, d, device=device, dtype=dtype, requires_grad=True)
    firsts = (torch.arange(t, device=device) // (t // 4) * (t // 4)).expand(b, t).contiguous()
    documents = DocumentSpans(firsts)

    def within_documents():
        causal_attention(qkv, documents).sum().backward()

    return {
        "within documents": within_documents,
        "dense mask": lambda: fused_attention(qkv, documents.mask).sum().backward(),
        "across documents": lambda: fused_attention(qkv, None).sum().backward(),
    }


def loss_forms(device, dtype, *, is_tiny):
    b, t, c, v = (2, 64, 32, 512) if is_tiny else (12, 1024, 768, 32_768)
    hidden = torch.randn(b, t, c, device=device, dtype=dtype, requires_grad=True)
    weight = (0.02 * torch.randn(v, c, device=device)).to(dtype).requires_grad_()
    targets = torch.randint(v, (b, t), device=device)

    def whole_logits():
        logits = functional.linear(hidden, weight)
        functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten()).backward()

    def by_chunks():
        next_token_loss(hidden, weight, targets)[0].backward()

    return {
        "by chunks": by_chunks,
        "whole logits": whole_logits,
    }


def muon_forms(device, *, is_tiny):
    width, n_layers = (32, 2) if is_tiny else (768, 12)
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    forms = {}
    for name, kind in (("equal shapes together", BatchedMuon), ("one by one", torch.optim.Muon)):
        matrices = [torch.randn(s, device=device) for _ in range(n_layers) for s in shapes]
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)
        optimizer = kind([{"params": matrices}], lr=1e-3, adjust_lr_fn="match_rms_adamw")
        forms[name] = optimizer.step
    return forms
