"""Damaged input for readers of foreign bytes: a seeded mutator, a time budget, a memory meter.

Half a second a test by default; ``PARROTLET_FUZZ_SECONDS=600 pytest -k fuzz`` runs longer. The
same seed gives the same inputs; to repeat a failure, print the number of the mutation.
"""

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

FUZZ_SECONDS = float(os.environ.get("PARROTLET_FUZZ_SECONDS", "0.6"))
OWN_FAULTS = (AssertionError, AttributeError, NameError)
_NOTABLE = (b"\0", b"\xff", b"\x80", b"\n", b"/", b"..", b'"', b"[", b"{", b"\\ud800", b"9" * 400)
_LENGTHS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Returns ``data`` with one to eight changes: bytes, numbers, pieces moved, cut or repeated."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        if not changed:
            changed = bytearray(data)
        at = chance.randrange(len(changed))
        end = min(len(changed), at + chance.choice((1, 4, 16, 200, len(changed))))
        kind = chance.randrange(8)
        if kind == 0:
            changed[at] = chance.randrange(256)
        elif kind == 1:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            changed[at:end] = b""
        elif kind == 3:
            changed[at:at] = changed[at:end] * chance.choice((1, 3, 50 if end - at < 50 else 1))
        elif kind == 4:
            changed[at:at] = chance.choice(_NOTABLE)
        elif kind == 5:
            size = chance.choice((1, 2, 4, 8))
            number = chance.choice(_LENGTHS) & ((1 << 8 * size) - 1)
            changed[at : at + size] = number.to_bytes(size, chance.choice(("little", "big")))
        elif kind == 6:
            source = chance.randrange(len(changed))
            changed[at:end] = changed[source : source + end - at]
        else:
            del changed[at:]
    return bytes(changed)


def mutations(
    seeds: Sequence[bytes], *, seed: int | str = 0, seconds: float = FUZZ_SECONDS
) -> Iterator[tuple[int, bytes]]:
    """Yields numbered mutations of ``seeds`` until the seconds are over; at least 20."""
    chance = random.Random(seed)
    deadline = time.monotonic() + seconds
    number = 0
    while number < 20 or time.monotonic() < deadline:
        yield number, mutate(chance.choice(seeds), chance)
        number += 1


def measure(
    work: Callable[[], object], *, address_space: int | None = None
) -> tuple[str, float, float]:
    """Runs ``work`` in a fork and returns its outcome, its seconds and its MiB at the peak.

    The outcome is the result's ``repr``, ``TypeName: message`` of an exception, or ``signal N``:
    what a native library does to the process is seen, and spoils no other test. Not on Windows.

    Args:
        work: What to measure.
        address_space: A limit in bytes, beyond which allocations fail.
    """
    receive, send = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _report(work, send, address_space)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        reported = pipe.read().decode("utf-8", "replace")
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - started
    if not reported:
        return f"signal {os.WTERMSIG(status)}", seconds, 0.0
    mib, _, outcome = reported.partition(" ")
    return outcome, seconds, float(mib)


def _report(work: Callable[[], object], pipe: int, address_space: int | None) -> None:
    import resource  # not on Windows

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if address_space is not None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    try:
        outcome = repr(work())
    except BaseException as error:  # noqa: BLE001 - the parent judges it
        outcome = f"{type(error).__name__}: {error}"
    mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    os.write(pipe, f"{mib} {outcome}"[:4000].encode("utf-8", "replace"))
    os._exit(0)


def fuzz_reader(
    read: Callable[[], Iterable[object]],
    path: Path,
    seeds: Sequence[bytes],
    *,
    expected: type[Exception],
    seed: int | str,
    max_seconds: float = 5.0,
) -> int:
    """Reads mutations of ``seeds`` from ``path``, and returns how many items came out in all.

    Fails unless each mutation gives items or an expected error of one line that names the file, in
    bounded time. An error caused by a fault of our own, such as AttributeError, does not count.
    """
    n_items = 0
    for number, data in mutations(seeds, seed=seed):
        path.write_bytes(data)
        started = time.monotonic()
        error = None
        try:
            for _ in read():
                n_items += 1
        except Exception as raised:  # noqa: BLE001 - judged below
            error = raised
        where = f"mutation {number} of seed {seed!r}: {type(error).__name__}: {error}"
        if error is not None:
            assert isinstance(error, expected), where
            assert path.name in str(error), where
            assert "\n" not in str(error), where
            assert not isinstance(error.__cause__, OWN_FAULTS), where
        assert time.monotonic() - started < max_seconds, where
    return n_items
