"""The errors that users may see, each with its exit code.

    ParrotletError                    1  something unexpected
    ├── ConfigError                   2  usage or configuration
    ├── PrerequisiteError             3  something needed is missing or damaged
    │   ├── ArtifactError                a model directory
    │   ├── CorpusError                  a source, an archive, a corpus or shard folder
    │   ├── ForeignDataError             data that somebody else wrote; also a ValueError
    │   ├── HubError                     the Hugging Face Hub refuses a request
    │   │   └── HubUnavailableError      it cannot be reached now: worth retrying
    │   ├── SandboxUnavailableError      the judge's isolation
    │   └── OtherProcessError            another process of this command has failed
    └── InvalidResultError            4  it ran, but the result does not count

A message is one sentence: what was found, what was expected and what to do. Every package raises
and reports these errors in the same way.
"""

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # as shells report it: 128 + SIGPIPE


class ParrotletError(Exception):
    """Base of all expected errors: reported as one line on stderr, without a traceback."""

    exit_code = 1


class ConfigError(ParrotletError):
    """A configuration or a command line that cannot be used."""

    exit_code = 2


class PrerequisiteError(ParrotletError):
    """Something required is missing or damaged."""

    exit_code = 3


class ArtifactError(PrerequisiteError):
    """A model directory that is missing, incomplete, damaged or of another format version."""


class CorpusError(PrerequisiteError):
    """A source, archive, corpus or shard folder that cannot be read."""


class ForeignDataError(PrerequisiteError, ValueError):
    """Data from elsewhere that is malformed or exceeds a limit.

    Its message is a clause ("it is not JSON: ..."); readers say which file, and what to do.
    """


class HubError(PrerequisiteError):
    """The Hugging Face Hub refuses a request, and retrying will not help."""


class HubUnavailableError(HubError):
    """The network or the Hub fails temporarily: worth retrying."""


class SandboxUnavailableError(PrerequisiteError):
    """The isolation that the judge needs is not available on this machine."""


class InvalidResultError(ParrotletError):
    """The work finished, but its result must not be used."""

    exit_code = 4


class OtherProcessError(PrerequisiteError):
    """This process stops because another one failed; that one reports the cause."""


@dataclass(frozen=True)
class ExitReport:
    """Why a command ended early.

    Attributes:
        exit_code: The process's exit code.
        message: One line for the user.
        is_consequence: Whether another process failed first and reports the cause.
    """

    exit_code: int
    message: str
    is_consequence: bool = False


def print_exit_report(report: ExitReport) -> None:
    """Writes a report's message to stderr."""
    sys.stderr.write(f"{report.message}\n")


def run_main(
    main: Callable[[Sequence[str]], int],
    argv: Sequence[str] | None = None,
    report: Callable[[ExitReport], None] = print_exit_report,
) -> int:
    """Runs a command's ``main`` and turns expected errors into one line and an exit code.

    SIGTERM interrupts as Ctrl-C does, so that what is half written is removed.

    Args:
        main: Takes the arguments, returns the exit code.
        argv: The arguments; None means ``sys.argv``.
        report: Called with the reason if the command ends early.
    """
    _make_streams_lenient()
    try:
        with _interrupts_by_sigterm():
            exit_code = main(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()  # what cannot be written is an error here, not at exit
            return exit_code
    except BrokenPipeError:  # the reader has closed the pipe, as "| head" does
        _discard_stdout()
        return EXIT_BROKEN_PIPE
    except (KeyboardInterrupt, ParrotletError, OSError, MemoryError, RecursionError) as error:
        exit_report = describe_error(error)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        exit_report = describe_error(MemoryError())
    if exit_report.exit_code == PrerequisiteError.exit_code:
        _discard_unwritable_stdout()
    report(replace(exit_report, message=" ".join(exit_report.message.splitlines())))
    return exit_report.exit_code


def describe_error(error: BaseException) -> ExitReport:
    """Returns the exit code and the sentence for an error that :func:`run_main` expects."""
    if isinstance(error, KeyboardInterrupt):
        message = "interrupted: finished work is saved; run the same command again to resume"
        return ExitReport(EXIT_INTERRUPTED, message)
    if isinstance(error, ParrotletError):
        is_consequence = isinstance(error, OtherProcessError)
        return ExitReport(error.exit_code, f"error: {error}", is_consequence)
    if isinstance(error, OSError):
        return ExitReport(PrerequisiteError.exit_code, f"error: {describe_os_error(error)}")
    if isinstance(error, MemoryError):
        message = "error: the memory does not suffice; free some, or choose smaller settings"
        return ExitReport(PrerequisiteError.exit_code, message)
    message = "error: the input is nested too deeply to be read; check that it is what you meant"
    return ExitReport(PrerequisiteError.exit_code, message)


def is_out_of_memory(error: BaseException) -> bool:
    """Says whether an operation failed for want of memory, on any device that PyTorch knows."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(t in str(error) for t in _OUT_OF_MEMORY)


def describe_os_error(error: OSError) -> str:
    """Returns one sentence: what the operating system refused, and what to do about it."""
    name = error.filename
    where = f"{os.fsdecode(name)}: " if isinstance(name, (str, bytes, os.PathLike)) else ""
    what = error.strerror or " ".join(str(error).split()) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0, "correct that and run the same command again")
    return f"{where}{what}; {advice}"


_OUT_OF_MEMORY = (
    *("out of memory", "can't allocate memory", "not enough memory"),
    "CUBLAS_STATUS_ALLOC_FAILED",
)
_NO_SPACE = "free some disk space and run the same command again"
_NO_PERMISSION = "change its permissions or choose another path"
_CHECK_PATH = "check the path"
_ADVICE = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: _NO_SPACE,
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: _NO_PERMISSION,
    errno.ENOENT: _CHECK_PATH,
    errno.ENOTDIR: _CHECK_PATH,
    errno.ELOOP: _CHECK_PATH,
    errno.EISDIR: "name a file instead",
    errno.EEXIST: "choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs and run the same command again",
    errno.EAGAIN: "raise the limit of processes (ulimit -u), or end some",
    errno.ENOMEM: "free some memory, or choose smaller settings",
    errno.EIO: "check the disk and run the same command again",
}


def _make_streams_lenient() -> None:
    """Lets the standard streams print any ``str``: what cannot be encoded becomes an escape.

    File names need not be valid UTF-8, and a terminal need not know every character.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # None: a stream is closed, or a test's
            reconfigure(errors="backslashreplace")


@contextmanager
def _interrupts_by_sigterm() -> Iterator[None]:
    """Raises ``KeyboardInterrupt`` at SIGTERM, unless the process has a handler of its own."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _discard_stdout() -> None:
    """Points stdout nowhere, for what Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _discard_unwritable_stdout() -> None:
    """Keeps Python from failing once more at exit, where stdout is a full disk, say."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _discard_stdout()
