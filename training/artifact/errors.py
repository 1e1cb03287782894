"""The errors a user may meet, each with its exit code.

    ParrotletError                    1  something unexpected
    ├── ConfigError                   2  usage or configuration
    ├── PrerequisiteError             3  something needed is missing or damaged
    │   ├── ArtifactError                a model directory
    │   ├── CorpusError                  a source, an archive, a corpus or shard folder
    │   ├── HubError                     the Hugging Face Hub refuses
    │   │   └── HubUnavailableError      it cannot be reached now: worth another try
    │   └── SandboxUnavailableError      the judge's isolation
    └── InvalidResultError            4  it ran, but the result does not count

A message is one sentence that names what was found, what was wanted and what to do. It stands here,
in the lowest room, because every package raises and reports these the same way.
"""

import os
import sys
from collections.abc import Callable, Sequence

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


def run_main(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Runs a command's ``main`` and turns expected errors into one line and an exit code."""
    try:
        return main(sys.argv[1:] if argv is None else argv)
    except ParrotletError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was finished is kept; run the same command to go on\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # who reads has read enough, as "| head" has
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python flushes at its end
        return EXIT_BROKEN_PIPE
