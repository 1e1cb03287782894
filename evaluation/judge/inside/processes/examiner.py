"""The examiner: holds the tests, calls the program under test by message, and reaches a finding.

One process serves many programs. It receives plain values only, and its namespace is new for each
program. A pass needs at least one call: a test that never calls the candidate proves nothing.
"""

import builtins
import os
import socket
from types import CodeType
from typing import Any, NoReturn

from evaluation.judge.inside.channel.copy_back import copy_back
from evaluation.judge.inside.channel.judge_messages import Finding, InProcessTest, TestMessage
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
_CompiledTests = dict[str, tuple[CodeType, CodeType]]  # prelude and test, by the problem's name


class _GoneError(BaseException):
    """The program's process has ended, or sent something unexpected."""


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
        answer = _receive_answer(self._channel)
        try:
            if "a" in answer:
                positional, keyword = map(decode, answer["a"])
                copy_back(arguments, positional)
                copy_back(named, keyword)
            if "r" in answer:
                return decode(answer["r"])
        except (ValueError, TypeError, RecursionError) as error:
            raise _GoneError from error
        if "u" in answer:
            return Foreign(_clean(answer["u"]))
        name, text = _read_exception(answer.get("e"))
        raise _EXCEPTIONS.get(name, Exception)(text)


def serve(control: socket.socket) -> NoReturn:
    """Judges one program after another; ends with its control socket."""
    tests: _CompiledTests = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 4, 1)
        if not message:
            os._exit(0)
        finding = _judge(receive(control.fileno()), descriptors[0], tests)
        os.close(descriptors[0])
        send(control.fileno(), finding)


def _judge(job: TestMessage, channel: int, tests: _CompiledTests) -> Finding:
    candidate = _Candidate(channel)
    if not _is_confined(channel):
        return Finding("sandbox_failure", "the program's process could not confine itself")
    try:
        failure = _receive_load_failure(channel)
        if failure is not None:
            return failure
        if job["is_in_process"]:
            return _judge_in_process(job, channel)
        _run_test(job, candidate, tests)
    except _GoneError:
        return Finding("gone", calls=candidate.n_calls)
    except AssertionError as error:
        return Finding("failed", _describe(error), candidate.n_calls)
    except BaseException as error:  # noqa: BLE001 - the program's exceptions come through here
        return Finding("error", _describe(error), candidate.n_calls)
    if not candidate.n_calls:
        return Finding("failed", "the test never called the candidate")
    return Finding("passed", calls=candidate.n_calls)


def _run_test(job: TestMessage, candidate: _Candidate, tests: _CompiledTests) -> None:
    prelude, test = _compile(job, tests)
    namespace: dict[str, Any] = {"__name__": "examiner"}
    exec(prelude, namespace)  # noqa: S102 - the problem's own helpers
    namespace[job["entry_point"]] = candidate
    before = namespace.get(CHECK)
    exec(test, namespace)  # noqa: S102 - the problem's own test
    if namespace.get(CHECK) is not before:  # a program's function may have that name
        namespace[CHECK](candidate)


def _judge_in_process(job: TestMessage, channel: int) -> Finding:
    """Has the program's process run the test; believes a pass only with the number sent along."""
    number = os.urandom(16).hex()
    try:
        send(channel, InProcessTest(test=job["test"], number=number))
    except OSError as error:
        raise _GoneError from error
    answer = _receive_answer(channel)
    if "done" in answer:
        return Finding("passed" if answer["done"] == number else "protocol_violation")
    name, text = _read_exception(answer.get("failed") or answer.get("e"))
    return Finding("failed" if "failed" in answer else "error", f"{name}: {text}")


def _is_confined(channel: int) -> bool:
    """Reads whether the child confined itself; it has not seen the program before it says so."""
    try:
        return bool(receive(channel) == CONFINED)
    except (WireError, OSError):
        return False


def _receive_load_failure(channel: int) -> Finding | None:
    """Reads how loading the program went; returns None if well."""
    answer = _receive_answer(channel)
    if "ok" in answer:
        return None
    name, text = _read_exception(answer.get("s") or answer.get("e"))
    return Finding("syntax_error" if "s" in answer else "error", f"{name}: {text}")


def _receive_answer(channel: int) -> dict[str, Any]:
    """Reads an answer, of which any part may be forged; anything but a mapping ends the run."""
    try:
        message = receive(channel)
    except (WireError, OSError) as error:
        raise _GoneError from error
    if not isinstance(message, dict):
        raise _GoneError
    return message


def _compile(job: TestMessage, tests: _CompiledTests) -> tuple[CodeType, CodeType]:
    key = job["task_id"]
    if key not in tests:
        if len(tests) >= MAX_CACHED_TESTS:
            tests.clear()
        tests[key] = (
            compile(job["prelude"], "<prelude>", "exec"),
            compile(job["test"], "<test>", "exec"),
        )
    return tests[key]


def _read_exception(description: object) -> tuple[str, str]:
    if not isinstance(description, list) or len(description) != 2:  # noqa: PLR2004 - name and text
        raise _GoneError
    return _clean(description[0]), _clean(description[1])


def _describe(error: BaseException) -> str:
    name, text = type(error).__name__, _clean(error)
    return f"{name}: {text}" if text else name


def _clean(text: object) -> str:
    """Returns a short text that can be written as UTF-8, from one that a program may have made."""
    return str(text)[:MAX_DETAIL_CHARS].encode("utf-8", "replace").decode()
