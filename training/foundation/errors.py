"""The errors that users may see, each with its exit code.

    ParrotletError                    1  something unexpected
    ├── ConfigError                   2  usage or configuration
    ├── PrerequisiteError             3  something needed is missing or damaged
    │   ├── ArtifactError                a model directory
    │   ├── CorpusError                  a source, an archive, a corpus or shard folder
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
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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

    Args:
        main: Takes the arguments, returns the exit code.
        argv: The arguments; None means ``sys.argv``.
        report: Called with the reason if the command ends early.
    """
    try:
        return main(sys.argv[1:] if argv is None else argv)
    except BrokenPipeError:  # the reader has closed the pipe, as "| head" does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python flushes at exit
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        message = "interrupted: finished work is saved; run the same command again to resume"
        exit_report = ExitReport(EXIT_INTERRUPTED, message)
    except ParrotletError as error:
        is_consequence = isinstance(error, OtherProcessError)
        exit_report = ExitReport(error.exit_code, f"error: {error}", is_consequence)
    except OSError as error:
        if error.strerror is None:
            raise  # not from the operating system: a library uses the class for something else
        exit_report = ExitReport(PrerequisiteError.exit_code, f"error: {describe_os_error(error)}")
    report(exit_report)
    return exit_report.exit_code


def describe_os_error(error: OSError) -> str:
    """Returns one sentence: what the operating system refused, and what to do about it."""
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    advice = _ADVICE.get(error.errno or 0, "correct that and run the same command again")
    return f"{where}{error.strerror}; {advice}"


_NO_SPACE = "free some disk space and run the same command again"
_NO_PERMISSION = "change its permissions or choose another path"
_ADVICE = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: _NO_PERMISSION,
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file instead",
}
