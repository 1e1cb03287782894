"""Landlock: puts files out of reach without any namespace.

Source: landlock(7) and the kernel's ``linux/landlock.h``; numbers as on x86-64 and aarch64.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Iterator, Sequence

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_MIN_VERSION = 3  # older ones let a program truncate any file
_SCOPES_SINCE = 6
_SCOPES = 0b11  # abstract sockets, signals
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_IOCTL_SINCE = 5
_ALL = (1 << 15) - 1
_FOR_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE
_OWN = _ALL & ~(1 | _MAKE_CHAR | _MAKE_SOCK | _MAKE_BLOCK)  # 1: to execute

_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result


def read_version() -> int:
    """Returns the kernel's version of the interface.

    Raises:
        OSError: It has none, or one that is too old.
    """
    version = _call(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < _MIN_VERSION:
        raise OSError(errno.ENOSYS, f"landlock: version {version}, needs {_MIN_VERSION}")
    return version


def create_ruleset(readable: Sequence[str], devices: Sequence[str], own: str) -> int:
    """Returns a ruleset's descriptor: what may be read, devices, and one folder for everything.

    Raises:
        OSError: The kernel refuses.
    """
    known = read_version()
    handled = _ALL | (_IOCTL_DEV if known >= _IOCTL_SINCE else 0)
    scopes = _SCOPES if known >= _SCOPES_SINCE else 0
    attributes = _Attributes(handled, 0, scopes)
    size = ctypes.c_size_t(ctypes.sizeof(attributes) if scopes else 8)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    for path in readable:
        _allow(ruleset, path, _READ_FILE | _READ_DIR)
    for path in devices:
        _allow(ruleset, path, _WRITE_FILE | _READ_FILE)
    _allow(ruleset, own, _OWN)
    return ruleset


def restrict_reading(
    readable: Sequence[str], hidden: Sequence[str], devices: Sequence[str], own: str
) -> None:
    """Binds this process to reading what is readable and not hidden, and to writing in ``own``.

    Rulesets add up: a process bound to several may do only what all of them allow. A folder around
    a hidden one cannot be listed, since that would list the hidden one too; Python lists the
    folders that it imports from, so it does so now.
    """
    for finder in sys.path_importer_cache.values():
        if finder is not None:
            finder.find_spec("-")
    ruleset = create_ruleset((), devices, own)
    for path in readable:
        if not any(is_within(folder, path) for folder in hidden):
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
            continue
        for part in _list_parts(path, hidden):
            _allow(ruleset, part, _READ_FILE | _READ_DIR)
    restrict_self(ruleset)
    os.close(ruleset)


def _list_parts(path: str, hidden: Sequence[str]) -> Iterator[str]:
    """Yields files and folders that make up a folder without what is hidden in it."""
    for name in os.listdir(path):  # noqa: PTH208 - lean
        part = f"{path}/{name}"
        if part in hidden or os.path.islink(part):  # noqa: PTH114 - a link is not what it leads to
            continue
        if any(is_within(folder, part) for folder in hidden):
            yield from _list_parts(part, hidden)
        else:
            yield part


def is_within(path: str, folder: str) -> bool:
    """Returns whether a path is somewhere below a folder."""
    return path.startswith(f"{folder}/")


def _allow(ruleset: int, path: str, access: int) -> None:
    descriptor = os.open(path, os.O_PATH)
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - lean
            access &= _FOR_FILES
        rule = _PathBeneath(access, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def restrict_self(ruleset: int) -> None:
    """Binds this process, and everything it starts, to a ruleset for good."""
    _call(_RESTRICT_SELF, ruleset, 0)
