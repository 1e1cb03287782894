"""How fast a device multiplies at most: what its maker promises, else what is measured.

The promise is the better yardstick for MFU, because it is the same for every software; no training
reaches it. Cards that are not listed, other dtypes and CPUs are measured.

Source: the makers' data sheets, dense (not sparse) operations a second in bfloat16, or in float16
where a card has no bfloat16, accumulated in float32.
"""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

REPEATS = 5
WIDTHS = (256, 512, 1024, 2048, 4096, 8192)  # of the square matrices tried
LONG_ENOUGH_S = 0.01  # wider matrices tell nothing new: full speed is reached, or there is none
_PRODUCTS = 8  # timed at once on a GPU, whose clock is read only when all are done

# Teraflops by a part of the name that the driver gives; the first that fits counts.
CARDS = {
    "GB200": 2500,
    "B200": 2250,
    "H200": 989,
    "GH200": 989,
    "H100 PCIe": 756,
    "H100 NVL": 835,
    "H100": 989,
    "H800": 989,
    "H20": 148,
    "A100": 312,
    "A800": 312,
    "A30": 165,
    "A40": 149.7,
    "A10G": 70,
    "A10": 125,
    "L40S": 362,
    "L40": 181,
    "L4": 121,
    "RTX 6000 Ada": 364.2,
    "RTX A6000": 154.8,
    "RTX 5090": 209.5,
    "RTX 4090": 165.2,
    "RTX 4080": 97.5,
    "RTX 3090": 71,
    "V100": 125,
    "T4": 65,
    "MI300X": 1307.4,
    "MI325X": 1307.4,
    "MI250X": 383,
}
_TERA = 1e12


@dataclass(frozen=True, kw_only=True)
class PeakFlops:
    """Operations a second that a device reaches at most, and who says so."""

    flops_per_s: float
    source: str  # "measured", or the card whose data sheet promises it


def find_peak_flops(dtype: torch.dtype, device: torch.device) -> PeakFlops:
    """Returns the peak of a device for matrix products in ``dtype``."""
    if device.type == "cuda" and dtype in {torch.bfloat16, torch.float16}:
        promised = look_up_card(torch.cuda.get_device_name(device))
        if promised is not None:
            return promised
    return PeakFlops(flops_per_s=measure_peak_flops(dtype, device), source="measured")


def look_up_card(name: str) -> PeakFlops | None:
    """Returns what the data sheet of a card promises, or None if it is not listed.

    Args:
        name: As the driver gives it, such as "NVIDIA H100 80GB HBM3".
    """
    words = f" {name} ".replace("-", " ")
    if " MIG " in words:  # a part of a card
        return None
    for card, tera in CARDS.items():
        if f" {card} " in words:
            return PeakFlops(flops_per_s=tera * _TERA, source=card)
    return None


def measure_peak_flops(dtype: torch.dtype, device: torch.device) -> float:
    """Returns the operations per second of the fastest of a few square matrix products."""
    best = 0.0
    for n in WIDTHS:
        # On a GPU, not ones: it draws less power for equal digits, and so runs faster.
        make = torch.ones if device.type == "cpu" else torch.randn
        a = make(n, n, dtype=dtype, device=device)
        seconds = min(_time_product(a) for _ in range(REPEATS))
        best = max(best, 2 * n**3 / seconds)
        if seconds > LONG_ENOUGH_S:
            break
    return best


def _time_product(a: Tensor) -> float:
    n_products = 1 if a.device.type == "cpu" else _PRODUCTS
    started = time.perf_counter()
    for _ in range(n_products):
        product = a @ a
    float(product[0, 0])  # waits for the device
    return (time.perf_counter() - started) / n_products
