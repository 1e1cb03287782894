"""The process of one program under test: confines itself, then runs the program and answers calls.

It never sees a test, an expected value or the channel of the verdict: it is given a program, a name
and arguments, and answers with plain values. All confinement is complete before the program's text
arrives. Tests that must run in the program's process come later, with a number that only a test
which ran to its end sends back. A hostile program can forge that, and results say which tests ran
so.
"""

import gc
import os
import sys
import types
from typing import Any, NoReturn

from evaluation.judge.inside.channel.copy_back import is_mutable
from evaluation.judge.inside.channel.judge_messages import Answer, InProcessTest, ProgramMessage
from evaluation.judge.inside.channel.plain_values import UnencodableError, decode, encode
from evaluation.judge.inside.channel.wire import (
    MAX_FRAME_BYTES,
    TooLargeError,
    WireError,
    encode_frame,
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
MAX_BASES = 12  # of an exception
_CONFINED_FRAME = encode_frame(CONFINED)
_NO_NAMED = encode({})


def run(calls: list[syscalls.PreparedCall]) -> NoReturn:
    """Confines this process for good, receives the program and serves it. Never returns.

    Args:
        calls: What the confinement has a child do to itself.
    """
    syscalls.make_calls(calls)
    send_frame(CHANNEL, _CONFINED_FRAME)  # from here on, whatever goes wrong is the program's doing
    gc.enable()
    answer, function, namespace = _load(receive(CHANNEL))
    send(CHANNEL, answer)
    if "ok" not in answer:
        os._exit(0)
    while True:
        try:
            message = receive(CHANNEL)
        except WireError:
            os._exit(0)
        if isinstance(message, dict):
            send(CHANNEL, _run_test(message, function, namespace))  # type: ignore[arg-type]
        else:
            _send_answer(_call(function, *message))


def rehearse() -> None:
    """Does once what every child will do, so that children find caches filled and share pages."""
    reader, writer = os.pipe()
    for _ in range(_REHEARSALS):
        send(writer, ProgramMessage(program=_REHEARSAL, entry_point="f"))
        _, function, _ = _load(receive(reader))
        send(writer, [encode(([1, 2], "a", (0.5, None)))])
        send(writer, _call(function, *receive(reader)))
        receive(reader)
        syscalls.make_calls([(gc.freeze, ()), (gc.freeze, ())])
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


def _load(message: ProgramMessage) -> tuple[Answer, Any, dict[str, Any]]:
    """Runs the program; returns what to answer, its function and its namespace."""
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module  # so that its classes and functions can be found by name
    namespace: dict[str, Any] = vars(module)
    try:
        code = compile(message["program"], "<candidate>", "exec")
    except BaseException as error:  # noqa: BLE001 - a hostile program may raise anything
        return {"s": _describe(error)}, None, namespace
    try:
        exec(code, namespace)  # noqa: S102 - the purpose of this process
        return {"ok": 1}, namespace[message["entry_point"]], namespace
    except BaseException as error:  # noqa: BLE001
        return {"e": _describe(error)}, None, namespace


def _send_answer(answer: Answer) -> None:
    try:
        send(CHANNEL, answer)
    except TooLargeError:
        send(CHANNEL, {"e": [f"a result of over {MAX_FRAME_BYTES} bytes", "OverflowError"]})


def _call(function: Any, arguments: Any, named: Any = _NO_NAMED) -> Answer:
    positional, keyword = decode(arguments), decode(named)
    answer: Answer
    try:
        answer = {"r": encode(function(*positional, **keyword))}
    except UnencodableError as error:
        answer = {"u": str(error)[:MAX_MESSAGE_CHARS]}
    except BaseException as error:  # noqa: BLE001
        answer = {"e": _describe(error)}
    if is_mutable(arguments) or named is not _NO_NAMED:
        try:
            after = [encode(positional), encode(keyword)]
            if after != [arguments, named]:
                answer["a"] = after
        except UnencodableError as error:
            return {"e": [f"an argument was changed to hold: {error}", "TypeError"]}
    return answer


def _run_test(message: InProcessTest, function: Any, namespace: dict[str, Any]) -> Answer:
    """Runs the test in the program's own namespace."""
    try:
        before = namespace.get(CHECK)
        exec(compile(message["test"], "<test>", "exec"), namespace)  # noqa: S102
        if namespace.get(CHECK) is not before:  # a program's function may have that name
            namespace[CHECK](function)
    except AssertionError as error:
        return {"failed": _describe(error)}
    except BaseException as error:  # noqa: BLE001
        return {"e": _describe(error)}
    return {"done": message["number"]}


def _describe(error: BaseException) -> list[str]:
    try:
        arguments = error.args
        is_text = len(arguments) == 1 and type(arguments[0]) is str  # KeyError would quote it
        text = (arguments[0] if is_text else str(error))[:MAX_MESSAGE_CHARS]
    except BaseException:  # noqa: BLE001 - its __str__ is the program's own
        text = ""
    names = [kind.__name__[:MAX_MESSAGE_CHARS] for kind in type(error).__mro__[:MAX_BASES]]
    return [text, *names]
