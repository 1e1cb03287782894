"""Every default of the server, once: a frozen tree that clients override by the same names.

Read from ``initializationOptions`` (and by the command line) through
:func:`training.artifact.schema.from_mapping`, so that an unknown key is an error that names near
ones. The editors' clients state the same defaults for their settings pages; a test compares them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from server.confidence import Eagerness
from server.scope import Wanted


@dataclass(frozen=True, kw_only=True)
class ContextSettings:
    """How much of the document, and of others, the model sees.

    ``prefix_tokens`` stand before the cursor and ``suffix_tokens`` behind it, at the most; both
    shrink together if the model's context is smaller. The first line seen moves down in steps of
    ``step_lines``, so that what the model has computed stays valid while typing. Before all
    that stand ``workspace_tokens`` of the workspace's own modules and of files edited lately; 0 for
    none.
    """

    prefix_tokens: int = 512
    suffix_tokens: int = 160
    step_lines: int = 16
    workspace_tokens: int = 128

    def __post_init__(self) -> None:
        _at_least("prefix_tokens", self.prefix_tokens, 1)
        _at_least("suffix_tokens", self.suffix_tokens, 0)
        _at_least("step_lines", self.step_lines, 1)
        _at_least("workspace_tokens", self.workspace_tokens, 0)


@dataclass(frozen=True, kw_only=True)
class SuggestionSettings:
    """What is suggested.

    ``eagerness`` says how sure the model has to be of a suggestion's first line; "always" shows
    whatever it writes. ``extent`` "auto" suggests a line, or all of a block or function that begins
    at the cursor; "line" never more than a line, "block" and "function" the rest of one also in its
    middle. A suggestion that takes long to make waits for the next key, ``max_debounce_ms`` at the
    most. Of a suggestion that repeats ``LEAST_TOKENS`` (``training.artifact.verbatim``) of the
    training corpus word for word, ``attribution`` "mark" tells the source, "block" drops it and
    "allow" does not look. The rest says how long a suggestion may be.
    """

    eagerness: Eagerness = "balanced"
    extent: Wanted = "auto"
    attribution: Literal["allow", "mark", "block"] = "mark"
    max_debounce_ms: int = 150
    max_line_tokens: int = 40
    max_block_tokens: int = 128
    max_block_lines: int = 12
    max_function_tokens: int = 160
    max_function_lines: int = 16

    def __post_init__(self) -> None:
        _at_least("max_debounce_ms", self.max_debounce_ms, 0)
        _at_least("max_line_tokens", self.max_line_tokens, 1)
        _at_least("max_block_tokens", self.max_block_tokens, 1)
        _at_least("max_block_lines", self.max_block_lines, 1)
        _at_least("max_function_tokens", self.max_function_tokens, 1)
        _at_least("max_function_lines", self.max_function_lines, 1)

    @property
    def longest_tokens(self) -> int:
        """The most tokens of any suggestion."""
        return max(self.max_line_tokens, self.max_block_tokens, self.max_function_tokens)


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """How the model is run.

    ``threads`` 0 means half the machine's cores, four at the most. ``precision`` is that of the
    matrices; "auto" takes what this machine multiplies fastest. A prompt is read ``chunk_tokens``
    at a time, and a cancelled request stops between two. What is computed of documents is kept
    within ``cache_mib`` for all of them. ``max_guesses`` tokens are guessed from text seen before
    and verified in one step; 0 writes one token a step.
    """

    threads: int = 0
    precision: Literal["auto", "int8", "bfloat16", "float32"] = "auto"
    chunk_tokens: int = 128
    cache_mib: int = 64
    max_guesses: int = 6
    batch_size: int = 16
    heal_tokens: int = 6

    def __post_init__(self) -> None:
        _at_least("threads", self.threads, 0)
        _at_least("chunk_tokens", self.chunk_tokens, 1)
        _at_least("cache_mib", self.cache_mib, 0)
        _at_least("max_guesses", self.max_guesses, 0)
        _at_least("batch_size", self.batch_size, 1)
        _at_least("heal_tokens", self.heal_tokens, 0)


@dataclass(frozen=True, kw_only=True)
class RemoteSettings:
    """A server with ``/v1/completions`` that writes instead of the model here; "" for none.

    ``model`` is its name there. ``tokenizer`` is a folder with the model's ``tokenizer.json``,
    which tells how infilling is laid out; without it the server is asked with a ``suffix``, or left
    to right if it takes none. The key is that of the environment variable ``key_variable``.
    """

    url: str = ""
    model: str = ""
    tokenizer: Path | None = None
    context_tokens: int = 2048
    timeout_s: float = 10.0
    key_variable: str = "PARROTLET_API_KEY"

    def __post_init__(self) -> None:
        _at_least("context_tokens", self.context_tokens, 256)
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}, wanted more than 0")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The root of the tree.

    ``model`` None means the bundled one. ``event_log`` names a file that gets one JSON object per
    request, without any of the user's text; None writes none. ``private_globs`` are names or paths
    of files that are left alone, beside those of secrets (``server.privacy.PRIVATE_FILES``).
    ``statistics`` counts what is shown and taken, on this machine only (``server.acceptance``).
    ``pause_on_battery`` suggests nothing that was not asked for while the machine has no mains.
    """

    model: Path | None = None
    event_log: Path | None = None
    private_globs: tuple[str, ...] = ()
    statistics: bool = True
    pause_on_battery: bool = False
    context: ContextSettings = field(default_factory=ContextSettings)
    suggestion: SuggestionSettings = field(default_factory=SuggestionSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    remote: RemoteSettings = field(default_factory=RemoteSettings)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}, wanted at least {least}")
