"""The process of one program under test: confines itself, then runs the program and answers calls.

It never sees a test, an expected value or the channel of the verdict: it is told a program, a name,
and arguments, and answers with plain values. All confinement is complete before the program's text
arrives. Tests that must run within the program's process come later, with a number that only a test
which ran to its end sends back; a hostile program can forge that, and results say which were so.
"""

import gc
import os
import sys
import types
from typing import Any, NoReturn

from evaluation.judge.inside.channel.copy_back import is_mutable
from evaluation.judge.inside.channel.plain_values import UnencodableError, decode, encode
from evaluation.judge.inside.channel.wire import (
    MAX_FRAME_BYTES,
    TooLargeError,
    WireError,
    frame,
    receive,
    send,
    send_frame,
)
from evaluation.judge.inside.confinement import syscalls

CONFINED = {"confined": 1}  # the first message
CHECK = "check"  # what a test may define, to be called with the function
MODULE = "candidate"  # the program's name for itself
CHANNEL = 3  # the descriptor it answers on, the only one beside null and its output
MAX_MESSAGE_CHARS = 300
_CONFINED_FRAME = frame(CONFINED)
_NO_NAMED = encode({})


def run(confinement: list[syscalls.PreparedCall]) -> NoReturn:
    """Confines this process for good, receives the program and serves it. Never returns.

    Args:
        confinement: What the ground (see ``confinement``) has a child do to itself.
    """
    syscalls.do(confinement)
    send_frame(CHANNEL, _CONFINED_FRAME)  # from here on, whatever goes wrong is the program's doing
    gc.enable()
    answer, function, namespace = _loaded(receive(CHANNEL))
    send(CHANNEL, answer)
    if "ok" not in answer:
        os._exit(0)
    while True:
        try:
            message = receive(CHANNEL)
        except WireError:
            os._exit(0)
        if isinstance(message, dict):
            send(CHANNEL, _tested(message, function, namespace))
        else:
            _send_answer(_answer(function, *message))


def rehearse() -> None:
    """Does once what every child will do, so that they find caches filled and share the pages."""
    reader, writer = os.pipe()
    for _ in range(_REHEARSALS):
        send(writer, {"program": _REHEARSAL, "entry_point": "f"})
        _, function, _ = _loaded(receive(reader))
        call = [encode(([1, 2], "a", (0.5, None)))]
        send(writer, call)
        send(writer, _answer(function, *receive(reader)))
        receive(reader)
        syscalls.do([(gc.freeze, ()), (gc.freeze, ())])
    os.close(reader)
    os.close(writer)
    del sys.modules[MODULE]


_REHEARSALS = 20  # the interpreter specialises a function after a few calls
_REHEARSAL = '''from typing import List, Tuple
import math


def f(xs: List[int], text: str, pair: Tuple[float, None]) -> Tuple[List[int], str]:
    """A rehearsal."""
    found = {}
    for i, x in enumerate(xs):
        if x % 2 == 0 and i < len(text) + 1:
            found[x] = [y * math.floor(2.5) for y in range(x) if y]
    return sorted(x + 1 for x in xs), "".join(text).upper()
'''


def _loaded(job: dict[str, Any]) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Runs the program; returns what to answer, its function and its namespace."""
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module  # so that its classes and functions can be found by name
    namespace: dict[str, Any] = vars(module)
    try:
        code = compile(job["program"], "<candidate>", "exec")
    except BaseException as error:  # noqa: BLE001 - a hostile program may raise anything
        return {"s": _described(error)}, None, namespace
    try:
        exec(code, namespace)  # noqa: S102 - the point of this process
        return {"ok": 1}, namespace[job["entry_point"]], namespace
    except BaseException as error:  # noqa: BLE001
        return {"e": _described(error)}, None, namespace


def _send_answer(answer: dict[str, Any]) -> None:
    try:
        send(CHANNEL, answer)
    except TooLargeError:
        send(CHANNEL, {"e": ["OverflowError", f"a result of over {MAX_FRAME_BYTES} bytes"]})


def _answer(function: Any, arguments: Any, named: Any = _NO_NAMED) -> dict[str, Any]:
    given, given_by_name = decode(arguments), decode(named)
    try:
        answer = {"r": encode(function(*given, **given_by_name))}
    except UnencodableError as error:
        answer = {"u": str(error)[:MAX_MESSAGE_CHARS]}
    except BaseException as error:  # noqa: BLE001
        answer = {"e": _described(error)}
    if is_mutable(arguments) or named is not _NO_NAMED:
        try:
            left = [encode(given), encode(given_by_name)]
            if left != [arguments, named]:
                answer["a"] = left
        except UnencodableError as error:
            return {"e": ["TypeError", f"an argument was made to hold a {error}"]}
    return answer


def _tested(message: dict[str, Any], function: Any, namespace: dict[str, Any]) -> dict[str, Any]:
    """Runs the test in the program's own namespace."""
    try:
        before = namespace.get(CHECK)
        exec(compile(message["test"], "<test>", "exec"), namespace)  # noqa: S102
        if namespace.get(CHECK) is not before:  # a program's function may have that name
            namespace[CHECK](function)
    except AssertionError as error:
        return {"failed": _described(error)}
    except BaseException as error:  # noqa: BLE001
        return {"e": _described(error)}
    return {"done": message["number"]}


def _described(error: BaseException) -> list[str]:
    try:
        text = str(error)[:MAX_MESSAGE_CHARS]
    except BaseException:  # noqa: BLE001 - its __str__ is the program's own
        text = ""
    return [type(error).__name__[:MAX_MESSAGE_CHARS], text.encode("ascii", "replace").decode()]
