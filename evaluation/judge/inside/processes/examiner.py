"""The examiner: holds the tests, calls the program under test by message, and reaches a finding.

One process serves many programs. It receives plain values only, and its namespace is new for each
program. A pass needs at least one call: a test that never calls the candidate proves nothing.
"""

import builtins
import contextlib
import os
import socket
from types import CodeType
from typing import Any, NoReturn

from evaluation.judge.inside.channel.copy_back import copy_back
from evaluation.judge.inside.channel.judge_messages import (
    NEVER_CALLED,
    Ending,
    Finding,
    InProcessTest,
    TestMessage,
)
from evaluation.judge.inside.channel.plain_values import (
    Foreign,
    UnencodableError,
    decode,
    encode,
)
from evaluation.judge.inside.channel.wire import (
    NonsenseError,
    WireError,
    encode_frame,
    receive,
    send,
    send_frame,
)
from evaluation.judge.inside.processes.candidate import CHECK, CONFINED, MAX_BASES

MAX_CACHED_TESTS = 4096
MAX_DETAIL_CHARS = 200
_CompiledTests = dict[str, tuple[CodeType, CodeType]]  # prelude and test, by the problem's name


class _LostError(BaseException):
    """The program's process has ended, or sent something unexpected; ``ending`` says which."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending)
        self.ending = ending


_GONE: Ending = "gone"
_NONSENSE: Ending = "protocol_violation"  # however the process ends then


class _Candidate:
    """Stands for the program's function in the test's namespace.

    Args:
        channel: The program's.
        namespace: The test's, whose exceptions a program may raise.
        name: The function's.
    """

    def __init__(self, channel: int, namespace: dict[str, Any], name: str) -> None:
        self._channel = channel
        self._namespace = namespace
        self.__name__ = self.__qualname__ = name
        self.n_calls = 0
        self.foreign = ""  # the type of a value that could not cross
        # How it was lost, if it was, which its test may not notice: it may catch anything
        self.lost: _LostError | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        frame = self._encode(arguments, named)
        self.n_calls += 1
        if self.lost is not None:
            raise self.lost
        try:
            return self._call(frame, arguments, named)
        except _LostError as error:
            self.lost = error
            raise

    def _encode(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> bytes:
        """Returns a call as a message; notes that one cannot be sent, which a test may not see."""
        try:
            return encode_frame([encode(arguments), *([encode(named)] if named else [])])
        except Exception as error:
            is_named = isinstance(error, UnencodableError)
            self.foreign = self.foreign or (_clean(error) if is_named else "value")
            raise

    def _call(self, frame: bytes, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        try:
            send_frame(self._channel, frame)
        except OSError as error:
            raise _LostError(_GONE) from error
        answer = _receive_answer(self._channel)
        try:
            if "a" in answer:
                positional, keyword = map(decode, answer["a"])
                copy_back(arguments, positional)
                copy_back(named, keyword)
            if "r" in answer:
                return decode(answer["r"])
        except (ValueError, TypeError, RecursionError) as error:
            raise _LostError(_NONSENSE) from error
        if "u" in answer:
            self.foreign = _clean(answer["u"])
            return Foreign(self.foreign)
        text, *names = _read_exception(answer.get("e"))
        raise _make_exception(text, names, self._namespace)


def _make_exception(text: str, names: list[str], namespace: dict[str, Any]) -> Exception:
    """Returns an exception of the first type that the problem or Python defines.

    Args:
        text: Its message.
        names: Of its type and its bases, nearest first.
        namespace: The test's.
    """
    for name in names:
        kind = namespace.get(name, getattr(builtins, name, None))
        if isinstance(kind, type) and issubclass(kind, Exception):
            with contextlib.suppress(Exception):  # it takes other arguments
                return kind(text)
            with contextlib.suppress(Exception):
                error = kind.__new__(kind)
                error.args = (text,)
                return error
    return Exception(text)


def serve(control: socket.socket) -> NoReturn:
    """Judges one program after another; ends with its control socket."""
    tests: _CompiledTests = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 4, 1)
        if not message:
            os._exit(0)
        finding = _judge(receive(control.fileno()), descriptors[0], tests)
        send(control.fileno(), finding)
        os.close(descriptors[0])  # by now the program is dead, and does not wake up to leave


def _judge(job: TestMessage, channel: int, tests: _CompiledTests) -> Finding:
    if not _is_confined(channel):
        return Finding("sandbox_failure", "the program's process could not confine itself")
    namespace: dict[str, Any] = {"__name__": "examiner"}
    candidate = _Candidate(channel, namespace, job["entry_point"])
    try:
        failure = _receive_load_failure(channel)
        if failure is not None:
            return failure
        if job["is_in_process"]:
            return _judge_in_process(job, channel)
    except _LostError as error:
        return Finding(error.ending)
    finding = _judge_apart(job, candidate, namespace, tests)
    if candidate.lost is not None:
        return Finding(candidate.lost.ending, calls=candidate.n_calls)
    return finding


def _judge_apart(
    job: TestMessage, candidate: _Candidate, namespace: dict[str, Any], tests: _CompiledTests
) -> Finding:
    """Returns what the test found; whether the program lived to its end is not for it to say."""
    try:
        _run_test(job, candidate, namespace, tests)
    except AssertionError as error:
        return Finding("failed", _explain(error, candidate), candidate.n_calls)
    except BaseException as error:  # noqa: BLE001 - the program's exceptions come through here
        ending: Ending = "oom" if isinstance(error, MemoryError) else "error"
        return Finding(ending, _explain(error, candidate), candidate.n_calls)
    if not candidate.n_calls:
        return Finding("failed", _add_note(NEVER_CALLED, candidate))
    return Finding("passed", _note_foreign(candidate), candidate.n_calls)


def _run_test(
    job: TestMessage, candidate: _Candidate, namespace: dict[str, Any], tests: _CompiledTests
) -> None:
    prelude, test = _compile(job, tests)
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
        raise _LostError(_GONE) from error
    answer = _receive_answer(channel)
    if "done" in answer:
        return Finding("passed" if answer["done"] == number else "protocol_violation")
    return _find_exception(answer, "failed", "failed")


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
    return _find_exception(answer, "s", "syntax_error")


def _find_exception(answer: dict[str, Any], key: str, ending: Ending) -> Finding:
    """Returns the finding for an answer that holds an exception.

    Args:
        answer: The candidate's.
        key: What holds an exception that does not count as an error.
        ending: What that one counts as.
    """
    text, *names = _read_exception(answer.get(key) or answer.get("e"))
    ending = ending if key in answer else "error"
    if MemoryError.__name__ in names:  # whatever failed for lack of it
        ending = "oom"
    return Finding(ending, _join(names[0], text))


def _receive_answer(channel: int) -> dict[str, Any]:
    """Reads an answer, of which any part may be forged; anything but a mapping ends the run."""
    try:
        message = receive(channel)
    except NonsenseError as error:
        raise _LostError(_NONSENSE) from error
    except (WireError, OSError) as error:
        raise _LostError(_GONE) from error
    if not isinstance(message, dict):
        raise _LostError(_NONSENSE)
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


def _read_exception(description: object) -> list[str]:
    """Returns a text and at least one name."""
    if not isinstance(description, list) or not 1 < len(description) <= MAX_BASES + 1:
        raise _LostError(_NONSENSE)
    return [_clean(part) for part in description]


def _explain(error: BaseException, candidate: _Candidate) -> str:
    return _add_note(_join(type(error).__name__, _clean(error)), candidate)


def _add_note(text: str, candidate: _Candidate) -> str:
    note = _note_foreign(candidate)
    return f"{text} ({note})" if note else text


def _note_foreign(candidate: _Candidate) -> str:
    return f"a {candidate.foreign} cannot leave its process" if candidate.foreign else ""


def _join(name: str, text: str) -> str:
    return f"{name}: {text}" if text else name


def _clean(text: object) -> str:
    """Returns a short text that can be written as UTF-8, from one that a program may have made."""
    return str(text)[:MAX_DETAIL_CHARS].encode("utf-8", "replace").decode()
