"""One look at the files of the workspace's adaptations; made off the event loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.adaptation.adaptation_state import AdaptationState, RunState
from server.adaptation.adaptations import Adaptation, find_adaptation
from server.adaptation.adapted_models import AdaptedModel, choose_model_for, find_models_folder
from server.lsp.adaptation.announcements import is_announced, note_announced
from server.settings import Settings
from training.foundation.errors import ParrotletError, PrerequisiteError, describe_os_error

ENDED = {RunState.FINISHED, RunState.FAILED, RunState.CANCELLED}


@dataclass(frozen=True, kw_only=True)
class Run:
    """An adaptation and how it is going.

    Attributes:
        adaptation: The workspace's.
        state: What it reported last.
        has_unread_end: Whether it has ended and nobody has read how.
        is_served: Whether suggestions come from the model that it made.
        is_withheld: Whether they would, if no other project were open.
        has_continued: Whether it was interrupted, and was started again by this look.
        error: Why it could not be started again; None if it was not tried, or has.
    """

    adaptation: Adaptation
    state: AdaptationState
    has_unread_end: bool
    is_served: bool
    is_withheld: bool = False
    has_continued: bool = False
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class WorkspaceRuns:
    """The adaptations of all folders of a workspace, and the model that suggests there.

    Attributes:
        runs: One for each folder that was ever adapted to.
        artifact: The adapted model that is to suggest; None for that of the settings.
        model: Whose artifact it is.
        withheld: The adapted models that do not suggest since several projects are open.
    """

    runs: tuple[Run, ...] = ()
    artifact: Path | None = None
    model: AdaptedModel | None = None
    withheld: tuple[AdaptedModel, ...] = ()


def has_any_model() -> bool:
    """Returns whether anything was ever adapted: for most users there is nothing to look at."""
    try:
        return find_models_folder().exists()
    except (OSError, PrerequisiteError):
        return False


def read_runs(
    roots: Sequence[Path], settings: Settings, continued: Sequence[Path] = ()
) -> WorkspaceRuns:
    """Reads the files of a workspace's adaptations.

    Args:
        roots: Its folders.
        settings: The user's.
        continued: The folders in which an interrupted adaptation is to be started again.
    """
    found: dict[str, tuple[Adaptation, AdaptationState, bool, str | None]] = {}
    for root in roots:
        adaptation = find_adaptation(root)
        if adaptation is None or adaptation.model.name in found:
            continue
        has_continued, error = _continue(adaptation) if root in continued else (False, None)
        state = adaptation.read_state()
        if state is not None:
            found[adaptation.model.name] = (adaptation, state, has_continued, error)
    choice = choose_model_for(roots, settings)  # after the states: a finished run's is complete
    model = choice.model
    withheld_names = {model.name for model in choice.withheld}
    runs = tuple(
        Run(
            adaptation=adaptation,
            state=state,
            has_unread_end=state.state in ENDED and not is_announced(adaptation.folder, state),
            is_served=model is not None and model.name == adaptation.model.name,
            is_withheld=adaptation.model.name in withheld_names,
            has_continued=has_continued,
            error=error,
        )
        for adaptation, state, has_continued, error in found.values()
    )
    artifact = None if model is None else model.artifact
    return WorkspaceRuns(runs=runs, artifact=artifact, model=model, withheld=choice.withheld)


def note_read(run: Run) -> None:
    """Takes note that the user has read how an adaptation ended."""
    note_announced(run.adaptation.folder, run.state)


def _continue(adaptation: Adaptation) -> tuple[bool, str | None]:
    try:
        return adaptation.go_on(), None
    except ParrotletError as error:
        return False, str(error)
    except OSError as error:  # the disk is full, say: the model suggests all the same
        return False, f"the interrupted adaptation cannot continue: {describe_os_error(error)}"
