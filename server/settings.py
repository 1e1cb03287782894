"""Every setting's name, default and meaning, once: a frozen tree that clients override by name.

Read from ``initializationOptions`` (and by the command line) through
:func:`training.artifact.schema.from_mapping`, so that an unknown key is an error that names near
ones. :mod:`server.catalogue` lists it for the editors' settings pages; a test compares them.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from server.confidence import Eagerness
from server.scope import Wanted


def setting(default: Any, text: str, *, minimum: float | None = None) -> Any:
    """Returns a field of a group of settings.

    Args:
        default: Its value where the user gives none.
        text: What it does, in sentences for the user.
        minimum: The least that a number may be.
    """
    return field(default=default, metadata={"text": text, "minimum": minimum})


class Group:
    """Settings that belong together; a number below its least is refused."""

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):  # type: ignore[arg-type]
            minimum, value = one.metadata.get("minimum"), getattr(self, one.name)
            if minimum is not None and not value >= minimum:
                raise ValueError(f"{one.name} is {value}, wanted at least {minimum}")


@dataclass(frozen=True, kw_only=True)
class ClientSettings(Group):
    """What the editors' clients do by themselves; the server owns the texts and ignores the rest.

    In Neovim these are options of ``setup()``, in VS Code they stand below ``parrotlet.client``.
    """

    enabled: bool = setting(default=True, text="Suggest anything at all.")
    automatic: bool = setting(default=True, text="Suggest while typing; if off, only when asked.")
    languages: tuple[str, ...] = setting(("python",), "Languages in which to suggest.")
    server: tuple[str, ...] = setting(
        (),
        "The command that starts the server, with its arguments. Empty looks for it in the active"
        " virtual environment, in the folder that this client came with, and on the PATH.",
    )
    excluded_files: tuple[str, ...] = setting(
        (), "Globs of files in which this editor suggests nothing, as in `**/migrations/*.py`."
    )


@dataclass(frozen=True, kw_only=True)
class ContextSettings(Group):
    """How much of the document, and of others, the model sees.

    The prefix and the suffix shrink together if the model's context is smaller. The first line
    seen moves in steps, so that what the model has computed stays valid while typing.
    """

    prefix_tokens: int = setting(512, "Tokens before the cursor that the model sees.", minimum=1)
    suffix_tokens: int = setting(160, "Tokens behind the cursor that it sees.", minimum=0)
    step_lines: int = setting(
        16, "Lines by which the beginning of what it sees moves when it must.", minimum=1
    )
    workspace_tokens: int = setting(
        128,
        "Tokens that it sees of the workspace's own modules and of files edited lately; 0 for none"
        " of other files.",
        minimum=0,
    )


@dataclass(frozen=True, kw_only=True)
class SuggestionSettings(Group):
    """What is suggested.

    ``training.artifact.verbatim`` says how many tokens make a repetition.
    """

    eagerness: Eagerness = setting(
        "balanced",
        "How sure the model has to be of a suggestion: `quiet` shows few and mostly right ones,"
        " `eager` more, `always` whatever it writes.",
    )
    extent: Wanted = setting(
        "auto",
        "How far a suggestion goes: `auto` a line, or all of a block or function that begins at"
        " the cursor; `line` never more than a line; `block` and `function` the rest of one, also"
        " in its middle.",
    )
    attribution: Literal["allow", "mark", "block"] = setting(
        "mark",
        "What to do with a suggestion that repeats the training corpus word for word at length:"
        " `mark` tells the source and its licence, `block` drops it, `allow` does not look.",
    )
    max_debounce_ms: int = setting(
        150,
        "A suggestion that takes long to make waits for the next key, so many milliseconds at the"
        " most.",
        minimum=0,
    )
    max_line_tokens: int = setting(40, "Tokens of a suggested line, at the most.", minimum=1)
    max_block_tokens: int = setting(128, "Tokens of a suggested block, at the most.", minimum=1)
    max_block_lines: int = setting(12, "Lines of a suggested block, at the most.", minimum=1)
    max_function_tokens: int = setting(
        160, "Tokens of a suggested function, at the most.", minimum=1
    )
    max_function_lines: int = setting(16, "Lines of a suggested function, at the most.", minimum=1)

    @property
    def longest_tokens(self) -> int:
        """The most tokens of any suggestion."""
        return max(self.max_line_tokens, self.max_block_tokens, self.max_function_tokens)


@dataclass(frozen=True, kw_only=True)
class EngineSettings(Group):
    """How the model is run on this machine."""

    threads: int = setting(
        0, "Threads that compute; 0 means half the machine's cores, four at the most.", minimum=0
    )
    precision: Literal["auto", "int8", "bfloat16", "float32"] = setting(
        "auto", "Precision of the matrices; `auto` takes what this machine multiplies fastest."
    )
    chunk_tokens: int = setting(
        128, "Tokens of a prompt read at a time; a cancelled request stops between two.", minimum=1
    )
    cache_mib: int = setting(
        64, "Memory for what was computed of the last documents, in MiB for all.", minimum=0
    )
    max_guesses: int = setting(
        6,
        "Tokens guessed from text seen before and verified in one step; 0 writes one token a step.",
        minimum=0,
    )
    batch_size: int = setting(16, "Alternatives and samples written side by side.", minimum=1)
    heal_tokens: int = setting(
        6, "Tokens before the cursor that may be taken back and written anew.", minimum=0
    )


@dataclass(frozen=True, kw_only=True)
class RemoteSettings(Group):
    """A server that writes instead of the model here."""

    url: str = setting(
        "",
        "Address of a server with `/v1/completions` that writes instead of the model on this"
        " machine: your text is sent there. Empty for none.",
    )
    model: str = setting("", "The model's name at that server.")
    tokenizer: str = setting(
        "",
        "Folder with that model's `tokenizer.json`, which tells how infilling is laid out; without"
        " it the server is asked with a `suffix`, or left to right if it takes none.",
    )
    context_tokens: int = setting(2048, "Tokens that the model there sees.", minimum=256)
    timeout_s: float = setting(
        10.0, "Seconds after which an answer from there is given up.", minimum=0.1
    )
    key_variable: str = setting(
        "PARROTLET_API_KEY", "Environment variable that holds the key for that server."
    )


@dataclass(frozen=True, kw_only=True)
class Settings(Group):
    """The root of the tree.

    :data:`server.privacy.PRIVATE_FILES` are private whatever the globs say.
    """

    model: str = setting(
        "",
        "The model: empty for the bundled one, a folder, or a name on the Hugging Face Hub as in"
        " `owner/name` or `owner/name@revision`, which is fetched once.",
    )
    event_log: str = setting(
        "", "File that gets one JSON object a request, without any of your text; empty for none."
    )
    private_globs: tuple[str, ...] = setting(
        (), "Names or paths of files that are left alone, beside those of secrets."
    )
    statistics: bool = setting(
        default=True, text="Count what is shown and taken. The counts never leave this machine."
    )
    pause_on_battery: bool = setting(
        default=False, text="Suggest only when asked while this machine has no mains."
    )
    client: ClientSettings = field(default_factory=ClientSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    suggestion: SuggestionSettings = field(default_factory=SuggestionSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    remote: RemoteSettings = field(default_factory=RemoteSettings)
