"""What the completer needs of whoever generates: the model on this machine or a remote server."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from server.engine.generation_request import GenerationRequest, GenerationResult
from server.prompt.window import Window
from server.suggestion.confidence import Calibration
from server.workspace.memory_info import MemoryInfo
from training.artifact.code_reference import CodeReference

if TYPE_CHECKING:  # the language server does without their libraries
    from server.memory.token_memory import TokenMemory
    from server.workspace.sources.source_files import SourceFile
    from server.workspace.sources.token_index import TokenIndex
    from server.workspace.sources.workspace_memory import WorkspaceMemory


class BackendUnavailableError(Exception):
    """Nothing can be generated for an outside reason; ``is_new`` if that was just found out.

    ``unquoted`` is the sentence without what a server says, which may repeat the user's text.
    """

    def __init__(self, sentence: str, *, unquoted: str, is_new: bool) -> None:
        super().__init__(sentence)
        self.unquoted = unquoted
        self.is_new = is_new


@dataclass(frozen=True, kw_only=True)
class BackendInfo:
    """What generates, for people who ask after its health; None where a fact does not apply.

    Attributes:
        url: Where a remote server answers.
        model: The remote server's name for its model.
        infilling: How a remote server learns the text after the cursor: "artifact", "template",
            "suffix" or "none".
        parameters: How many the local model has.
        tokens_seen: How many it was trained on.
        context_tokens: How many it sees at once.
        device: Where it runs.
        precision: In which its weights are multiplied.
        threads: How many multiply them.
        knows_its_sources: Whether it can tell which training documents a suggestion repeats.
        documents_cached: How many documents have a cache.
        memory: What is known of the workspace.
    """

    url: str | None = None
    model: str | None = None
    infilling: str | None = None
    parameters: int | None = None
    tokens_seen: int | None = None
    context_tokens: int | None = None
    device: str | None = None
    precision: str | None = None
    threads: int | None = None
    knows_its_sources: bool | None = None
    documents_cached: int | None = None
    memory: MemoryInfo | None = None

    def to_json(self) -> dict[str, object]:
        """Returns the facts that apply, by name."""
        return {name: fact for name, fact in asdict(self).items() if fact is not None}


class Backend(Protocol):
    """Continues text; one request at a time."""

    @property
    def context_tokens(self) -> int:
        """How many tokens the model sees, new ones included."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """How the model's probabilities relate to being right, if that is known."""
        ...

    def describe(self) -> BackendInfo:
        """Returns what generates, and how."""
        ...

    def count_tokens(self, text: str) -> int:
        """Returns how many tokens a line has."""
        ...

    def prompt_room(self, max_new_tokens: int) -> int:
        """Returns how many tokens a window may have, with room for new ones after it.

        Raises:
            ArtifactError: There are next to none.
        """
        ...

    def find_source(
        self, head: str, text: str, document: Sequence[str], memory: "TokenMemory | None"
    ) -> CodeReference | None:
        """Returns the training document that ``text`` repeats, None if it repeats none.

        Args:
            head: The cursor's line before the cursor.
            text: The suggestion.
            document: The document's own text, in parts. What the user has there, or in the
                ``memory``, is no repetition of anybody else's.
            memory: The workspace's own code.
        """
        ...

    def index_files(self, files: "Iterable[SourceFile]") -> "TokenIndex | None":
        """Indexes the files of a workspace, for memories; None if this back end uses none."""
        ...

    def create_memory(self) -> "WorkspaceMemory | None":
        """Returns an empty memory of a workspace; None if this back end uses none."""
        ...

    def add_unseen(self, memory: "TokenMemory", texts: tuple[str, ...]) -> "TokenMemory":
        """Returns a memory that also knows parts of the document that the window leaves out."""
        ...

    def generate(
        self,
        window: Window,
        request: GenerationRequest,
        lookup_texts: Sequence[str] = (),
        memory: "TokenMemory | None" = None,
    ) -> GenerationResult:
        """Generates after a window's prefix.

        Args:
            window: The text around the cursor.
            request: How much, how, and until when.
            lookup_texts: Texts that the output may repeat, the likeliest first.
            memory: The workspace's own code, for back ends that can use it.

        Raises:
            BackendUnavailableError: It cannot be reached.
        """
        ...

    def read_ahead(
        self,
        window: Window,
        unseen: tuple[str, ...],
        max_new_tokens: int,
        should_stop: Callable[[], bool],
    ) -> int:
        """Reads a window that is likely to be completed soon, if that saves time then.

        Args:
            window: The text around the cursor.
            unseen: What a memory will have to know besides; empty without a memory.
            max_new_tokens: The most that will be generated after it.
            should_stop: Checked before each step; True ends the work at once.

        Returns:
            How many tokens were read.
        """
        ...
