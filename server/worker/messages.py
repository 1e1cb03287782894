"""What the server and its worker tell each other: one frozen dataclass for each kind of message.

Their fields are what the rest of the server uses: settings, requests, results.
:mod:`server.worker.codec` turns any message into JSON and back. ``id`` pairs an answer with its
request.
"""

from dataclasses import dataclass
from typing import ClassVar

from server.backends.backend import BackendInfo
from server.settings import Settings
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.workspace.snapshot import WorkspaceSnapshot

PRELOAD_ARGUMENT = "--preload"  # of the worker: import the model's libraries before it is needed


@dataclass(frozen=True, kw_only=True)
class Load:
    """To the worker: load the model that the settings name; answered by Ready or LoadFailed."""

    kind: ClassVar[str] = "load"
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class ChangeSettings:
    """To the worker: use these settings, which are about anything but the model."""

    kind: ClassVar[str] = "change_settings"
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class UpdateWorkspace:
    """To the worker: attach this to all further requests."""

    kind: ClassVar[str] = "update_workspace"
    snapshot: WorkspaceSnapshot


@dataclass(frozen=True, kw_only=True)
class UseIndex:
    """To the worker: the workspace's files are indexed in this folder; "" to use none."""

    kind: ClassVar[str] = "use_index"
    folder: str


@dataclass(frozen=True, kw_only=True)
class UpdateDocument:
    """To the worker: the text of an open document other than the one that is completed.

    ``text`` is None once the document is closed.
    """

    kind: ClassVar[str] = "update_document"
    uri: str
    text: str | None


@dataclass(frozen=True, kw_only=True)
class Complete:
    """To the worker: complete this; answered by Completed, Failed or BackendUnavailable.

    The request travels without its workspace, which the worker already has. ``quiet_s`` is for how
    long the document had not changed when the request was made.
    """

    kind: ClassVar[str] = "complete"
    id: int
    request: CompletionRequest
    quiet_s: float


@dataclass(frozen=True, kw_only=True)
class ReadAhead:
    """To the worker: read, when there is nothing else to do, what completing this would need."""

    kind: ClassVar[str] = "read_ahead"
    request: CompletionRequest


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """To the worker: stop working on a request."""

    kind: ClassVar[str] = "cancel"
    id: int


@dataclass(frozen=True, kw_only=True)
class CheckHealth:
    """To the worker: answer with HealthReport."""

    kind: ClassVar[str] = "check_health"
    id: int


@dataclass(frozen=True, kw_only=True)
class CheckProgress:
    """To the worker: answer at once with Progress, whatever is being computed."""

    kind: ClassVar[str] = "check_progress"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """From the worker: for how long a request has made no step; 0 if there is none."""

    kind: ClassVar[str] = "progress"
    stalled_s: float


@dataclass(frozen=True, kw_only=True)
class Ready:
    """From the worker: the model is loaded.

    ``tokenizer`` is the file by which the workspace is to be indexed; "" if the model uses no
    memory of it.
    """

    kind: ClassVar[str] = "ready"
    load_s: float
    tokenizer: str = ""


@dataclass(frozen=True, kw_only=True)
class Downloading:
    """From the worker: how far the download of the model has come."""

    kind: ClassVar[str] = "downloading"
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, kw_only=True)
class LoadFailed:
    """From the worker: there is no model, and why, as a sentence."""

    kind: ClassVar[str] = "load_failed"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Completed:
    """From the worker: the result of a request, to be ignored if it was cancelled meanwhile."""

    kind: ClassVar[str] = "completed"
    id: int
    result: CompletionResult
    is_cancelled: bool


@dataclass(frozen=True, kw_only=True)
class Failed:
    """From the worker: a request raised an exception of this type, which the log explains."""

    kind: ClassVar[str] = "failed"
    id: int
    error_type: str


@dataclass(frozen=True, kw_only=True)
class BackendUnavailable:
    """From the worker: the remote server did not answer a request, and why, as a sentence.

    ``unquoted`` is the reason without what the server says, which may repeat the user's text.
    ``is_new`` is false while the worker leaves a failing server alone.
    """

    kind: ClassVar[str] = "backend_unavailable"
    id: int
    reason: str
    unquoted: str
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class HealthReport:
    """From the worker: what generates there; None if there is no model."""

    kind: ClassVar[str] = "health_report"
    id: int
    backend: BackendInfo | None


ToWorker = (
    Load
    | ChangeSettings
    | UpdateWorkspace
    | UseIndex
    | UpdateDocument
    | Complete
    | ReadAhead
    | Cancel
    | CheckHealth
    | CheckProgress
)
FromWorker = (
    Ready
    | Downloading
    | LoadFailed
    | Completed
    | Failed
    | BackendUnavailable
    | HealthReport
    | Progress
)
Message = ToWorker | FromWorker
