"""The process of one program under test: confines itself, then runs the program and answers calls.

It never sees a test, an expected value or the channel of the verdict: it is told a program, a name,
and arguments, and answers with plain values. All confinement is complete before the program's text
arrives. Tests that must run within the program's process come later, with a number that only a test
which ran to its end sends back; a hostile program can forge that, and results say which were so.
"""

import os
import resource
import signal
import sys
import types
from typing import Any, NamedTuple, NoReturn

from evaluation.judge.inside import kernel
from evaluation.judge.inside.copyback import is_mutable
from evaluation.judge.inside.values import UnencodableError, decode, encode
from evaluation.judge.inside.wire import (
    MAX_FRAME_BYTES,
    TooLargeError,
    WireError,
    receive,
    send,
)

CONFINED = {"confined": 1}  # the first message
CHECK = "check"  # what a test may define, to be called with the function
MODULE = "candidate"  # the program's name for itself
CHANNEL = 3  # the descriptor it answers on, the only one beside null and its output
MAX_MESSAGE_CHARS = 300
MAX_OPEN_FILES = 64
_FIRST_FREE = 4
_MAX_DESCRIPTOR = 256


class Surroundings(NamedTuple):
    """What a program's process is given: two descriptors, its limits, and how to confine it."""

    channel: int
    output: int
    limits: dict[str, Any]
    filter_program: bytes


def run(given: Surroundings) -> NoReturn:
    """Confines this process for good, receives the program and serves it. Never returns."""
    _confine(given)
    send(CHANNEL, CONFINED)  # from here on, whatever goes wrong is the program's doing
    _serve()


def _confine(given: Surroundings) -> None:
    limits = given.limits
    os.setsid()  # else kill(0) reaches the process group across pid namespaces
    if limits["is_isolated"]:
        kernel.unshare(kernel.NEW_NS | kernel.NEW_IPC)
        options = f"size={limits['disk_bytes']},nr_inodes=2048,mode=700"
        kernel.mount_tmpfs("/tmp", kernel.MS_NOSUID | kernel.MS_NODEV, options)  # noqa: S108
    os.chdir("/tmp")  # noqa: S108 - its own, if isolated
    _take_descriptors(given.channel, given.output)
    for what, most in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CPU, int(limits["cpu_s"]) + 2),  # the zygote's clock comes first
    ):
        resource.setrlimit(what, (most, most))
    if limits["is_isolated"]:
        kernel.drop_privileges(given.filter_program)
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def limit_children(limits: dict[str, Any]) -> None:
    """Sets the limits that the zygote itself can bear too, once for all programs."""
    for what, most in (
        (resource.RLIMIT_FSIZE, limits["disk_bytes"]),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _take_descriptors(channel: int, output: int) -> None:
    """Leaves null, the output twice, and the channel; whatever else is open is closed.

    Neither of the two stands below 3, so none is overwritten before it is copied.
    """
    null = os.open("/dev/null", os.O_RDONLY)
    for wanted, descriptor in enumerate((null, output, output, channel)):
        os.dup2(descriptor, wanted)
    os.closerange(_FIRST_FREE, _MAX_DESCRIPTOR)


def _serve() -> NoReturn:
    job = receive(CHANNEL)
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module  # so that its classes and functions can be found by name
    namespace: dict[str, Any] = vars(module)
    try:
        code = compile(job["program"], "<candidate>", "exec")
    except BaseException as error:  # noqa: BLE001 - a hostile program may raise anything
        send(CHANNEL, {"s": _described(error)})
        os._exit(0)
    try:
        exec(code, namespace)  # noqa: S102 - the point of this process
        function = namespace[job["entry_point"]]
    except BaseException as error:  # noqa: BLE001
        send(CHANNEL, {"e": _described(error)})
        os._exit(0)
    send(CHANNEL, {"ok": 1})
    while True:
        try:
            message = receive(CHANNEL)
        except WireError:
            os._exit(0)
        if isinstance(message, dict):
            send(CHANNEL, _tested(message, function, namespace))
        else:
            _send_answer(_answer(function, *message))


def _send_answer(answer: dict[str, Any]) -> None:
    try:
        send(CHANNEL, answer)
    except TooLargeError:
        send(CHANNEL, {"e": ["OverflowError", f"a result of over {MAX_FRAME_BYTES} bytes"]})


def _answer(function: Any, arguments: Any, named: Any) -> dict[str, Any]:
    given, given_by_name = decode(arguments), decode(named)
    try:
        answer = {"r": encode(function(*given, **given_by_name))}
    except UnencodableError as error:
        answer = {"u": str(error)[:MAX_MESSAGE_CHARS]}
    except BaseException as error:  # noqa: BLE001
        answer = {"e": _described(error)}
    if is_mutable(arguments) or is_mutable(named):
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
