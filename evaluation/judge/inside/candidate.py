"""The process of one program under test: confines itself, then runs the program and answers calls.

It never sees a test, an expected value or the channel of the verdict: it is told a program, a name,
and arguments, and answers with plain values. All confinement is complete before the program's text
arrives.
"""

import os
import resource
import signal
from typing import Any, NoReturn

from evaluation.judge.inside import kernel
from evaluation.judge.inside.values import UnencodableError, decode, encode
from evaluation.judge.inside.wire import WireError, receive, send

CONFINED = {"confined": 1}  # the first message
CHANNEL = 3  # the descriptor it answers on, the only one beside null
MAX_MESSAGE_CHARS = 300
MAX_OPEN_FILES = 64
_FIRST_FREE = 4
_MAX_DESCRIPTOR = 256


def run(channel: int, limits: dict[str, Any], last_cap: int, filter_program: bytes) -> NoReturn:
    """Confines this process for good, receives the program and serves it. Never returns."""
    _confine(channel, limits, last_cap, filter_program)
    send(CHANNEL, CONFINED)  # from here on, whatever goes wrong is the program's doing
    _serve()


def _confine(channel: int, limits: dict[str, Any], last_cap: int, filter_program: bytes) -> None:
    os.setsid()  # else kill(0) reaches the process group across pid namespaces
    if limits["is_isolated"]:
        kernel.unshare(kernel.NEW_NS | kernel.NEW_IPC)
        options = f"size={limits['disk_bytes']},nr_inodes=2048,mode=700"
        kernel.mount_tmpfs("/tmp", kernel.MS_NOSUID | kernel.MS_NODEV, options)  # noqa: S108
    os.chdir("/tmp")  # noqa: S108 - its own, if isolated
    os.dup2(channel, CHANNEL)
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(_FIRST_FREE, _MAX_DESCRIPTOR)
    for what, most in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, int(limits["cpu_s"]) + 2),  # the zygote's clock comes first
        (resource.RLIMIT_FSIZE, limits["disk_bytes"]),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))
    if limits["is_isolated"]:
        kernel.drop_privileges(last_cap, filter_program)
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _serve() -> NoReturn:
    job = receive(CHANNEL)
    namespace: dict[str, Any] = {"__name__": "candidate"}
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
            arguments, named = receive(CHANNEL)
        except WireError:
            os._exit(0)
        send(CHANNEL, _answer(function, arguments, named))


def _answer(function: Any, arguments: Any, named: Any) -> dict[str, Any]:
    try:
        return {"r": encode(function(*decode(arguments), **decode(named)))}
    except UnencodableError as error:
        return {"u": str(error)[:MAX_MESSAGE_CHARS]}
    except BaseException as error:  # noqa: BLE001
        return {"e": _described(error)}


def _described(error: BaseException) -> list[str]:
    try:
        text = str(error)[:MAX_MESSAGE_CHARS]
    except BaseException:  # noqa: BLE001 - its __str__ is the program's own
        text = ""
    return [type(error).__name__[:MAX_MESSAGE_CHARS], text.encode("ascii", "replace").decode()]
