"""Applies deltas: instructions to copy parts of another object and to insert new bytes.

Called by :mod:`training.corpus.readers.git_repository.pack_file`.

Source: git's own documentation, gitformat-pack.
"""

from training.corpus.readers.git_repository.git_directory import RepositoryFaultError

_MAX_SIZE_BITS = 63
_DEFAULT_COPY_BYTES = 0x10000
_OFFSET_BYTES = 4  # of a copy; three for its size follow


def parse_delta_sizes(delta: bytes) -> tuple[int, int, int]:
    """Returns the sizes before and after, and where the instructions begin."""
    before, at = _parse_size(delta, 0)
    after, at = _parse_size(delta, at)
    return before, after, at


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Returns the object that a delta makes of another.

    Raises:
        RepositoryFaultError: The delta is damaged, or made for another object.
    """
    before, after, at = parse_delta_sizes(delta)
    if before != len(base):
        raise RepositoryFaultError("has a damaged pack: a delta for something else")
    out = bytearray()
    while at < len(delta) and len(out) <= after:
        code = delta[at]
        at += 1
        if code & 0x80:
            offset, size, at = _parse_copy(delta, at, code)
            if offset + size > len(base):
                raise RepositoryFaultError("has a damaged pack: a delta beyond its base")
            out += base[offset : offset + size]
        elif code:
            out += delta[at : at + code]
            at += code
        else:
            raise RepositoryFaultError("has a damaged pack: an unknown instruction")
    if len(out) != after:
        raise RepositoryFaultError("has a damaged pack: a delta of a wrong size")
    return bytes(out)


def _parse_copy(delta: bytes, at: int, code: int) -> tuple[int, int, int]:
    """Returns offset and size of a copy; each bit of the code says that a byte is there."""
    values = [0, 0]
    for bit in range(7):
        if code >> bit & 1:
            which, shift = divmod(bit, _OFFSET_BYTES)
            values[which] |= _byte_at(delta, at) << 8 * shift
            at += 1
    return values[0], values[1] or _DEFAULT_COPY_BYTES, at


def _parse_size(delta: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while shift <= _MAX_SIZE_BITS:
        byte = _byte_at(delta, at)
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return size, at
    raise RepositoryFaultError("has a damaged pack: a number without an end")


def _byte_at(data: bytes, at: int) -> int:
    if at >= len(data):
        raise RepositoryFaultError("has a damaged pack: a delta is cut off")
    return data[at]
