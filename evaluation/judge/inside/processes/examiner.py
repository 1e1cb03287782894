"""The examiner: holds the tests, calls the program under test by message, and finds the verdict.

One process serves many programs. It receives plain values only; its own namespace is made anew for
each. A verdict needs at least one call: a test that never calls the candidate proves nothing.
"""

import builtins
import os
import socket
from typing import Any, NoReturn

from evaluation.judge.inside.channel.copy_back import copy_back
from evaluation.judge.inside.channel.plain_values import Foreign, decode, encode
from evaluation.judge.inside.channel.wire import WireError, receive, send
from evaluation.judge.inside.processes.candidate import CHECK, CONFINED

MAX_CACHED_TESTS = 4096
MAX_DETAIL_CHARS = 200
_EXCEPTIONS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}


class _GoneError(BaseException):
    """The program's process ended, or spoke out of turn."""


class _Candidate:
    """Stands for the program's function in the test's namespace."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self.n_calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.n_calls += 1
        try:
            send(self._channel, [encode(arguments), *([encode(named)] if named else [])])
        except OSError as error:
            raise _GoneError from error
        answer = _message(self._channel)
        try:
            if "a" in answer:
                given, given_by_name = map(decode, answer["a"])
                copy_back(arguments, given)
                copy_back(named, given_by_name)
            if "r" in answer:
                return decode(answer["r"])
        except (ValueError, TypeError, RecursionError) as error:
            raise _GoneError from error
        if "u" in answer:
            return Foreign(str(answer["u"]))
        name, text = _exception(answer.get("e"))
        raise _EXCEPTIONS.get(name, Exception)(text)


def serve(control: socket.socket) -> NoReturn:
    """Judges one job after the other; ends with its control socket."""
    tests: dict[str, tuple[Any, Any]] = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 4, 1)
        if not message:
            os._exit(0)
        job = receive(control.fileno())
        verdict = _judge(job, descriptors[0], tests)
        os.close(descriptors[0])
        send(control.fileno(), verdict)


def _judge(job: Any, channel: int, tests: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    candidate = _Candidate(channel)
    if not _is_confined(channel):
        return {"outcome": "sandbox_failure", "calls": 0}
    try:
        loaded = _load_message(channel)
        if loaded is not None:
            return loaded
        if job["is_in_process"]:
            return _examined_in_process(job, channel)
        prelude, test = _compiled(job, tests)
        namespace: dict[str, Any] = {"__name__": "examiner"}
        exec(prelude, namespace)  # noqa: S102 - the problem's own helpers
        namespace[job["entry_point"]] = candidate
        before = namespace.get(CHECK)
        exec(test, namespace)  # noqa: S102 - the problem's own test
        if namespace.get(CHECK) is not before:  # a program's function may have that name
            namespace[CHECK](candidate)
    except _GoneError:
        return {"outcome": "gone", "calls": candidate.n_calls}
    except AssertionError as error:
        return {"outcome": "failed", "detail": _detail(error), "calls": candidate.n_calls}
    except BaseException as error:  # noqa: BLE001 - the program's exceptions come through here
        return {"outcome": "error", "detail": _detail(error), "calls": candidate.n_calls}
    if not candidate.n_calls:
        return {"outcome": "failed", "detail": "the test never called the candidate", "calls": 0}
    return {"outcome": "passed", "calls": candidate.n_calls}


def _examined_in_process(job: Any, channel: int) -> dict[str, Any]:
    """Has the program's process run the test; believes it only with the number sent along."""
    number = os.urandom(16).hex()
    try:
        send(channel, {"test": job["test"], "number": number})
    except OSError as error:
        raise _GoneError from error
    answer = _message(channel)
    if "done" in answer:
        outcome = "passed" if answer["done"] == number else "protocol_violation"
        return {"outcome": outcome, "calls": 0}
    outcome = "failed" if "failed" in answer else "error"
    name, text = _exception(answer.get("failed") or answer.get("e"))
    return {"outcome": outcome, "detail": f"{name}: {text}", "calls": 0}


def _is_confined(channel: int) -> bool:
    """Reads whether the child confined itself; it has not seen the program before it says so."""
    try:
        return bool(receive(channel) == CONFINED)
    except (WireError, OSError):
        return False


def _load_message(channel: int) -> dict[str, Any] | None:
    """Reads how loading the program went; None if well."""
    message = _message(channel)
    if "ok" in message:
        return None
    if "s" in message:
        name, text = _exception(message["s"])
        return {"outcome": "syntax_error", "detail": f"{name}: {text}", "calls": 0}
    name, text = _exception(message.get("e"))
    return {"outcome": "error", "detail": f"{name}: {text}", "calls": 0}


def _message(channel: int) -> dict[str, Any]:
    """Reads what the program's process says; whatever has no such form ends the run."""
    try:
        message = receive(channel)
    except (WireError, OSError) as error:
        raise _GoneError from error
    if not isinstance(message, dict):
        raise _GoneError
    return message


def _compiled(job: Any, tests: dict[str, tuple[Any, Any]]) -> tuple[Any, Any]:
    key = job["task_id"]
    if key not in tests:
        if len(tests) >= MAX_CACHED_TESTS:
            tests.clear()
        tests[key] = (
            compile(job["prelude"], "<prelude>", "exec"),
            compile(job["test"], "<test>", "exec"),
        )
    return tests[key]


def _exception(described: Any) -> tuple[str, str]:
    if not isinstance(described, list) or len(described) != 2:  # noqa: PLR2004 - name and text
        raise _GoneError
    return str(described[0]), str(described[1])


def _detail(error: BaseException) -> str:
    name, text = type(error).__name__, str(error)
    return (f"{name}: {text}" if text else name)[:MAX_DETAIL_CHARS]
