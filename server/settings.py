"""Every setting with its default and its text, defined once: a tree that clients override by name.

Read through :func:`training.foundation.config_schema.from_mapping`, so that an unknown key is an
error that suggests similar ones. :mod:`server.settings_schema` lists the settings for the editors'
settings pages; a test compares them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from server.suggestion.confidence import THRESHOLDS, Eagerness
from server.suggestion.extent import Wanted
from training.foundation.config_schema import RangedConfig, range_metadata

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: tuple[Device, ...] = get_args(Device)
KEY_VARIABLE_PREFIX = "PARROTLET_"  # of the environment variables that may be sent as keys


def setting(
    default: Any,
    text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Mapping[str, str] | None = None,
) -> Any:
    """Returns a field of a group of settings.

    Args:
        default: The value unless the user sets another.
        text: What it does, in sentences for the user.
        minimum: The smallest value of a number.
        maximum: The largest.
        choices: For each value of a ``Literal``, what it does.
    """
    metadata: dict[str, Any] = {"text": text, "choices": choices or {}}
    if minimum is not None and maximum is not None:
        metadata |= range_metadata(minimum, maximum)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class ClientSettings(RangedConfig):
    """What the editors' clients do by themselves; the server owns the texts and ignores the values.

    In Neovim these are options of ``setup()``; in VS Code they are below ``parrotlet.client``.
    """

    enabled: bool = setting(default=True, text="Controls whether Parrotlet shows suggestions.")
    automatic: bool = setting(
        default=True,
        text="Controls whether suggestions appear automatically while typing. When off, they"
        " appear only on request.",
    )
    languages: tuple[str, ...] = setting(
        ("python",), "Identifiers of the languages in which suggestions are shown."
    )
    server: tuple[str, ...] = setting(
        (),
        "Command that starts the server, as a list of the program and its arguments. When empty,"
        " Parrotlet searches the active virtual environment, the folder that the extension or"
        " plugin comes from, and the `PATH`.",
    )
    excluded_files: tuple[str, ...] = setting(
        (),
        "Glob patterns of files in which this editor shows no suggestions, for example"
        " `**/migrations/*.py`.",
    )
    extra_index_url: str = setting(
        "",
        "URL of an additional package index from which the editor may install the server, such as"
        " one with CPU-only builds of PyTorch.",
    )


@dataclass(frozen=True, kw_only=True)
class ContextSettings(RangedConfig):
    """How much of the document, and of other files, the model sees.

    Prefix and suffix shrink together if the model's context is smaller. The first visible line
    moves in steps, so that the key-value cache stays valid while typing.
    """

    prefix_tokens: int = setting(
        512,
        "Maximum number of tokens before the cursor that the model sees.",
        minimum=1,
        maximum=32768,
    )
    suffix_tokens: int = setting(
        160,
        "Maximum number of tokens after the cursor that the model sees.",
        minimum=0,
        maximum=32768,
    )
    step_lines: int = setting(
        16,
        "Number of lines by which the start of the visible text moves when the text before the"
        " cursor exceeds its limit. Larger steps save computation; smaller steps keep more text"
        " in view.",
        minimum=1,
        maximum=1000,
    )
    workspace_tokens: int = setting(
        128,
        "Maximum number of tokens from other files that the model sees: modules of the workspace"
        " and recently edited files. `0` restricts it to the current file.",
        minimum=0,
        maximum=32768,
    )
    workspace_memory: bool = setting(
        default=True,
        text="Controls whether suggestions follow the workspace's own code: its Python files are"
        " indexed in the background, on this machine only. Private files and lines that look like"
        " secrets are left out.",
    )


@dataclass(frozen=True, kw_only=True)
class SuggestionSettings(RangedConfig):
    """What is suggested, and when.

    :mod:`training.artifact.verbatim` defines how many tokens make a repetition.
    """

    eagerness: Eagerness = setting(
        "balanced",
        "Controls how confident the model must be before a suggestion appears automatically."
        " Suggestions on request always appear.",
        choices={
            "always": "Show every suggestion.",
            "eager": "Show more suggestions, including less certain ones: confidence of at least"
            f" {THRESHOLDS['eager']:.0%}.",
            "balanced": "Show suggestions with a confidence of at least"
            f" {THRESHOLDS['balanced']:.0%}.",
            "quiet": "Show few suggestions, most of them right: confidence of at least"
            f" {THRESHOLDS['quiet']:.0%}.",
        },
    )
    extent: Wanted = setting(
        "auto",
        "Controls how much code a suggestion completes.",
        choices={
            "auto": "One line, or the whole block or function if it begins at the cursor.",
            "line": "One line at most.",
            "block": "The block around the cursor, up to its end.",
            "function": "The function around the cursor, up to its end.",
        },
    )
    attribution: Literal["allow", "mark", "block"] = setting(
        "mark",
        "Controls what happens to suggestions that repeat a long passage of the training corpus"
        " word for word. Requires a model that comes with an index of its corpus, as the bundled"
        " model does.",
        choices={
            "allow": "Show them without looking for the source.",
            "mark": "Show them with their source and its licence.",
            "block": "Do not show them.",
        },
    )
    max_debounce_ms: int = setting(
        150,
        "Maximum delay between a keystroke and the start of a request, in milliseconds. The delay"
        " adapts to how long suggestions take on this machine and is zero when they are fast.",
        minimum=0,
        maximum=60000,
    )
    max_line_tokens: int = setting(
        40, "Maximum length of a single-line suggestion, in tokens.", minimum=1, maximum=1024
    )
    max_block_tokens: int = setting(
        128, "Maximum length of a block suggestion, in tokens.", minimum=1, maximum=4096
    )
    max_block_lines: int = setting(
        12, "Maximum length of a block suggestion, in lines.", minimum=1, maximum=1000
    )
    max_function_tokens: int = setting(
        160, "Maximum length of a function suggestion, in tokens.", minimum=1, maximum=4096
    )
    max_function_lines: int = setting(
        16, "Maximum length of a function suggestion, in lines.", minimum=1, maximum=1000
    )

    @property
    def longest_tokens(self) -> int:
        """The maximum length of any suggestion, in tokens."""
        return max(self.max_line_tokens, self.max_block_tokens, self.max_function_tokens)


@dataclass(frozen=True, kw_only=True)
class EngineSettings(RangedConfig):
    """How the model runs on this machine."""

    device: Device = setting(
        "auto",
        "Device that runs the model.",
        choices={
            "auto": "The GPU, if there is one and the model has at least 50 million parameters;"
            " smaller models answer as fast on the processor.",
            "cpu": "The processor.",
            "cuda": "The NVIDIA or AMD GPU.",
            "mps": "The GPU of a Mac.",
        },
    )
    threads: int = setting(
        0,
        "Number of threads that run the model. `0` uses half of the available cores, up to four"
        " threads.",
        minimum=0,
        maximum=256,
    )
    precision: Literal["auto", "int8", "bfloat16", "float32"] = setting(
        "auto",
        "Number format of the model's weights.",
        choices={
            "auto": "The fastest format on this machine, measured when the model is loaded; on a"
            " GPU bfloat16, if it supports that.",
            "int8": "8-bit integers, on the processor only.",
            "bfloat16": "16-bit floating point (bfloat16).",
            "float32": "32-bit floating point.",
        },
    )
    chunk_tokens: int = setting(
        128,
        "Number of prompt tokens that are processed at a time. A cancelled request stops after the"
        " current chunk.",
        minimum=1,
        maximum=32768,
    )
    cache_mib: int = setting(
        64, "Memory for the key-value caches of recent documents, in MiB.", minimum=0, maximum=65536
    )
    max_guesses: int = setting(
        6,
        "Maximum number of tokens that are drafted from earlier text and verified in one step."
        " `0` turns drafting off.",
        minimum=0,
        maximum=64,
    )
    batch_size: int = setting(
        256,
        "Maximum number of completions of one text that are generated in parallel.",
        minimum=1,
        maximum=4096,
    )
    batch_mib: int = setting(
        0,
        "Memory for completions that are generated in parallel, in MiB. `0` uses up to a quarter"
        " of the free memory, or four fifths of a GPU's.",
        minimum=0,
        maximum=1048576,
    )
    heal_tokens: int = setting(
        6,
        "Maximum number of tokens before the cursor that are generated again, so that a suggestion"
        " can continue a word that is only partly typed (token healing). `0` turns this off.",
        minimum=0,
        maximum=64,
    )


@dataclass(frozen=True, kw_only=True)
class AdaptationSettings(RangedConfig):
    """How a model is adapted to the workspace, which happens only when the user asks for it."""

    use_model: bool = setting(
        default=True,
        text="Controls whether suggestions come from the model that was adapted to the workspace,"
        " once there is one that is better than the model it was made from.",
    )
    minutes: float = setting(
        20.0,
        "How long an adaptation works, in minutes. Pauses do not count.",
        minimum=0.05,
        maximum=1440,
    )
    pause_on_battery: bool = setting(
        default=True, text="Controls whether an adaptation waits while running on battery."
    )
    pause_while_typing: bool = setting(
        default=True, text="Controls whether an adaptation waits while you type."
    )


@dataclass(frozen=True, kw_only=True)
class RemoteSettings(RangedConfig):
    """A remote server that generates the suggestions instead of the model on this machine."""

    url: str = setting(
        "",
        "URL of a server with an OpenAI-compatible `/v1/completions` endpoint, which then generates"
        " the suggestions. The text around the cursor, and up to `context.workspace_tokens` tokens"
        " of the workspace's other files, are sent to that server. When empty, suggestions are"
        " generated on this machine.",
    )
    model: str = setting("", "Name of the model on the remote server.")
    tokenizer: str = setting(
        "",
        "Folder with the remote model's `tokenizer.json`, which defines the model's infilling"
        " format; for a model that Parrotlet trained, its folder, which needs no weights. When"
        " empty, the text after the cursor is sent as `suffix`, and left out if the server rejects"
        " that.",
    )
    context_tokens: int = setting(
        2048, "Context length of the remote model, in tokens.", minimum=256, maximum=1048576
    )
    timeout_s: float = setting(
        10.0, "Timeout of a request to the remote server, in seconds.", minimum=0.1, maximum=600.0
    )
    key_variable: str = setting(
        "PARROTLET_API_KEY",
        "Name of the environment variable that holds the API key of the remote server. It must"
        " begin with `PARROTLET_`, so that no other secret can be sent by mistake.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.key_variable.startswith(KEY_VARIABLE_PREFIX):
            raise ValueError(
                f"key_variable is '{self.key_variable}', which does not begin with"
                f" {KEY_VARIABLE_PREFIX}; store the key in a variable that does, and name it here"
            )


@dataclass(frozen=True, kw_only=True)
class Settings(RangedConfig):
    """The root of the tree.

    :data:`~training.foundation.privacy.private_paths.PRIVATE_FILES` are private in any case.
    """

    model: str = setting(
        "",
        "Model that generates the suggestions: the path of a model folder, or a name on the Hugging"
        " Face Hub such as `owner/name` or `owner/name@revision`, which is downloaded once. When"
        " empty, the bundled model is used.",
    )
    event_log: str = setting(
        "",
        "File to which one JSON object per request is appended, with timings and reasons but none"
        " of your code. When empty, no log is written.",
    )
    private_globs: tuple[str, ...] = setting(
        (),
        "Glob patterns of private files: Parrotlet neither shows suggestions in them nor uses their"
        " text, and no model is adapted to them. A pattern without a slash is the name of a file or"
        " folder; one with slashes is a path, absolute or from any folder, such as `src/keys/`,"
        " `**/internal/**`, `~/work/keys` or `**/{keys,tokens}.py`. A folder's files are private"
        " with it. Files that usually hold secrets, such as `.env` and private keys, are always"
        " private.",
    )
    statistics: bool = setting(
        default=True,
        text="Controls whether Parrotlet counts shown and accepted suggestions. Statistics stay on"
        " this machine.",
    )
    pause_on_battery: bool = setting(
        default=False,
        text="Controls whether automatic suggestions are paused while running on battery.",
    )
    client: ClientSettings = field(default_factory=ClientSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    suggestion: SuggestionSettings = field(default_factory=SuggestionSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
    remote: RemoteSettings = field(default_factory=RemoteSettings)
