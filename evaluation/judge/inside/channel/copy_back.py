"""Copies a program's changes to its arguments back into the examiner's own objects.

A test may look at what it passed: ``sort(xs); assert xs == [1, 2, 3]``. The program worked on a
copy in another process, so its changes come back as plain values and are written into the very
objects that the test holds.
"""

import collections
from collections.abc import Callable
from typing import Any


def is_mutable(data: Any) -> bool:
    """Returns whether encoded data holds anything that a program could change.

    Not what it takes from an iterator: those that cross are copies, used up on the other side.
    """
    if isinstance(data, list):
        return True
    if isinstance(data, dict):
        return any(tag in data for tag in "dsl") or any(map(is_mutable, data.get("t", ())))
    return False


def copy_back(target: Any, source: Any) -> Any:
    """Makes ``target`` equal to ``source``, in place where possible.

    Returns:
        ``target`` if it could be changed, else ``source``.
    """
    if type(target) is not type(source):
        return source
    if isinstance(target, tuple) and len(target) == len(source):
        parts = [copy_back(t, s) for t, s in zip(target, source, strict=True)]
        is_same = all(new is old for new, old in zip(parts, target, strict=True))
        return target if is_same else source
    update = _UPDATES.get(type(target))
    if update is not None:
        update(target, source)
        return target
    return _update_array(target, source) if type(target).__name__ == "ndarray" else source


def _update_list(target: Any, source: Any) -> None:
    n = min(len(target), len(source))
    items = [copy_back(t, s) for t, s in zip(target, source, strict=False)] + list(source)[n:]
    target.clear()
    target.extend(items)


def _update_dict(target: dict[Any, Any], source: dict[Any, Any]) -> None:
    items = {k: copy_back(target[k], v) if k in target else v for k, v in source.items()}
    target.clear()
    target.update(items)


def _update_sequence(target: Any, source: Any) -> None:
    target[:] = source


def _update_array(target: Any, source: Any) -> Any:
    """Fills NumPy's array if it has room for exactly that; a program cannot resize it either."""
    if target.shape != source.shape or target.dtype != source.dtype or not target.flags.writeable:
        return source
    target[...] = source
    return target


def _update_set(target: set[Any], source: set[Any]) -> None:
    target.clear()
    target.update(source)


_UPDATES: dict[type, Callable[[Any, Any], None]] = {
    list: _update_list,
    collections.deque: _update_list,
    bytearray: _update_sequence,
    dict: _update_dict,
    collections.Counter: _update_dict,
    collections.OrderedDict: _update_dict,
    collections.defaultdict: _update_dict,
    set: _update_set,
}
