"""The errors a user may meet, each with its exit code.

    ParrotletError                    1  something unexpected
    ├── ConfigError                   2  usage or configuration
    ├── PrerequisiteError             3  something needed is missing or damaged
    │   ├── ArtifactError                a model directory
    │   ├── CorpusError                  a source, an archive, a corpus or shard folder
    │   ├── HubError                     the Hugging Face Hub refuses
    │   │   └── HubUnavailableError      it cannot be reached now: worth another try
    │   ├── SandboxUnavailableError      the judge's isolation
    │   └── OtherProcessError            another process of this command has failed
    └── InvalidResultError            4  it ran, but the result does not count

A message is one sentence that names what was found, what was expected and what to do. Every package
raises and reports these errors the same way.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # as shells have it: 128 and SIGPIPE


class ParrotletError(Exception):
    """Base of all expected errors: reported as one line on stderr, without a traceback."""

    exit_code = 1


class ConfigError(ParrotletError):
    """A configuration or a command line that cannot be used."""

    exit_code = 2


class PrerequisiteError(ParrotletError):
    """Something that must be there is missing or damaged."""

    exit_code = 3


class ArtifactError(PrerequisiteError):
    """A model directory that is missing, incomplete, damaged or of another format version."""


class CorpusError(PrerequisiteError):
    """A source, archive, corpus or shard folder that cannot be read."""


class HubError(PrerequisiteError):
    """The Hugging Face Hub refuses, and will again until something is done about it."""


class HubUnavailableError(HubError):
    """The network or the Hub fails in a way that passes: worth another try."""


class SandboxUnavailableError(PrerequisiteError):
    """The isolation that the judge needs is not to be had on this machine."""


class InvalidResultError(ParrotletError):
    """The work ran to its end, but its result must not be used."""

    exit_code = 4


class OtherProcessError(PrerequisiteError):
    """One of several processes ends because another one has failed, which says why."""


@dataclass(frozen=True)
class Ending:
    """How a command ended early.

    Attributes:
        exit_code: Of the process.
        line: What to tell people.
        is_consequence: Whether another process says why.
    """

    exit_code: int
    line: str
    is_consequence: bool = False


def write_ending(ending: Ending) -> None:
    """Writes an ending's line to stderr."""
    sys.stderr.write(f"{ending.line}\n")


def run_main(
    main: Callable[[Sequence[str]], int],
    argv: Sequence[str] | None = None,
    report: Callable[[Ending], None] = write_ending,
) -> int:
    """Runs a command's ``main`` and turns expected errors into one line and an exit code.

    Args:
        main: Takes the arguments, returns the exit code.
        argv: The arguments; None takes the process' own.
        report: What to do with an early ending.
    """
    try:
        return main(sys.argv[1:] if argv is None else argv)
    except BrokenPipeError:  # who reads has read enough, as "| head" has
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python flushes at its end
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        line = "interrupted: finished work is saved; run the same command again to resume"
        ending = Ending(EXIT_INTERRUPTED, line)
    except ParrotletError as error:
        is_consequence = isinstance(error, OtherProcessError)
        ending = Ending(error.exit_code, f"error: {error}", is_consequence)
    except OSError as error:
        if error.strerror is None:
            raise  # not the system's: a library uses the class for something else
        ending = Ending(PrerequisiteError.exit_code, f"error: {describe_os_error(error)}")
    report(ending)
    return ending.exit_code


def describe_os_error(error: OSError) -> str:
    """Returns a sentence: what the system refused, and what to do about it."""
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
