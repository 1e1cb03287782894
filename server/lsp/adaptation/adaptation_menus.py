"""What users read about adapted models, and what they can choose: the same words in every editor.

A menu is a title and a list of actions, each of which is a command of the server with its argument.
An editor only shows them: it needs to know neither the states of an adaptation nor the commands.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from server.adaptation.adaptation_state import AdaptationState, Outcome, RunState
from server.adaptation.adapted_models import AdaptedModel
from server.settings import Settings

ADAPT, MENU = "parrotlet.adapt", "parrotlet.adaptation"
PAUSE, RESUME = "parrotlet.pauseAdaptation", "parrotlet.resumeAdaptation"
CANCEL, REPORT = "parrotlet.cancelAdaptation", "parrotlet.adaptationReport"
MODELS, MODEL = "parrotlet.adaptedModels", "parrotlet.adaptedModel"
USE_MODEL, REMOVE_MODEL = "parrotlet.useModel", "parrotlet.removeModel"

_MIB = 1 << 20
_MINUTE_S = 60.0
_MAX_MINUTES_SHOWN = 90  # hours, where it is more
_ENDED_WITHOUT_RESULT = {RunState.FAILED, RunState.CANCELLED}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a user confirms before an action."""

    message: str
    detail: str
    button: str


@dataclass(frozen=True, kw_only=True)
class Action:
    """What a user can choose.

    Attributes:
        title: On a button, or in a menu.
        command: Of the server.
        argument: For the command.
        description: More about it, in a few words.
        detail: More about it, in sentences.
        question: To be confirmed first; None if it does no harm.
    """

    title: str
    command: str
    argument: dict[str, str] = field(default_factory=dict)
    description: str = ""
    detail: str = ""
    question: Question | None = None


@dataclass(frozen=True, kw_only=True)
class Menu:
    """A title and what can be chosen; ``message`` is all there is to say without any action."""

    title: str
    actions: tuple[Action, ...] = ()
    message: str = ""


def build_adaptation_menu(
    folder: Path, state: AdaptationState | None, model: AdaptedModel | None, settings: Settings
) -> Menu:
    """Returns what can be done about the adaptation of a workspace.

    Args:
        folder: The workspace.
        state: How its adaptation is going; None if there never was one.
        model: The workspace's adapted model, or the one that is being made.
        settings: The user's.
    """
    argument = {"folder": str(folder)}
    if state is not None and (state.is_unfinished or state.state is RunState.INTERRUPTED):
        return Menu(title=describe_run(state), actions=list_run_actions(state))
    has_model = model is not None and model.artifact is not None
    question = _ask_to_adapt(folder, model if has_model else None, settings)
    title = "Adapt Again…" if has_model else "Adapt Model to This Workspace…"
    actions = [Action(title=title, command=ADAPT, argument=argument, question=question)]
    if model is not None:
        actions += list_model_actions(model)
    return Menu(title=f"Model for {folder.name}", actions=tuple(actions))


def list_run_actions(state: AdaptationState) -> tuple[Action, ...]:
    """Returns what can be done about an adaptation that has not ended."""
    argument, folder = {"name": state.name}, Path(state.folder).name or state.name
    is_waiting = state.state is not RunState.RUNNING
    title, command = ("Resume", RESUME) if is_waiting else ("Pause", PAUSE)
    question = Question(
        message=f'Cancel the adaptation to "{folder}"?',
        detail="What it has learned so far is discarded. The model in use does not change.",
        button="Cancel Adaptation",
    )
    return (
        Action(title=f"{title} Adaptation", command=command, argument=argument, description=folder),
        Action(
            title="Cancel Adaptation…",
            command=CANCEL,
            argument=argument,
            description=folder,
            question=question,
        ),
    )


def list_model_actions(model: AdaptedModel) -> list[Action]:
    """Returns what can be done with an adapted model."""
    argument = {"name": model.name}
    actions = []
    if model.artifact is not None:
        is_used = model.record.served == "adapted"
        served, title = ("base", "Use Base Model") if is_used else ("adapted", "Use Adapted Model")
        actions.append(
            Action(title=title, command=USE_MODEL, argument={**argument, "model": served})
        )
    if model.page is not None:
        actions.append(Action(title="Show Adaptation Report", command=REPORT, argument=argument))
    if model.artifact is not None or model.versions:
        question = Question(
            message=f'Remove the model adapted to "{get_title(model)}"?',
            detail=f"Its files ({_describe_size(model.n_bytes)}) are deleted. Suggestions come from"
            " the base model then.",
            button="Remove",
        )
        actions.append(
            Action(
                title="Remove Adapted Model…",
                command=REMOVE_MODEL,
                argument=argument,
                question=question,
            )
        )
    return actions


def build_models_menu(models: list[AdaptedModel]) -> Menu:
    """Returns the list of all adapted models."""
    if not models:
        return Menu(
            title="Adapted models",
            message="There are no adapted models yet. Adapt Model to This Workspace makes one.",
        )
    actions = tuple(
        Action(
            title=get_title(model),
            command=MODEL,
            argument={"name": model.name},
            description=describe_use(model),
            detail=model.sentence or model.record.path,
        )
        for model in models
    )
    return Menu(title="Adapted models", actions=actions)


def build_model_menu(model: AdaptedModel) -> Menu:
    """Returns what can be done with one adapted model."""
    title = f"{get_title(model)}: {describe_use(model)}"
    actions = tuple(list_model_actions(model))
    nothing = "" if actions else f"{title}. There is nothing to choose yet."
    return Menu(title=title, actions=actions, message=nothing)


def get_title(model: AdaptedModel) -> str:
    """Returns an adapted model's name for people: its folder's."""
    return Path(model.record.path).name or model.name


def describe_use(model: AdaptedModel) -> str:
    """Returns which model is to suggest in a workspace, and what the adapted one takes."""
    if model.artifact is None:
        return "no adapted model yet"
    return f"{model.record.served} model chosen, {_describe_size(model.n_bytes)}"


def describe_adapted_model(model: AdaptedModel) -> str:
    """Returns to what the model in use was adapted, when, and what that brought."""
    made = _format_date(_find_date(model))
    return f"to {get_title(model)} on {made}. {model.sentence}".strip()


def describe_withheld_models(models: Sequence[AdaptedModel]) -> str:
    """Returns to what the models were adapted that do not suggest, and why they do not."""
    return (
        f"to {' and '.join(map(get_title, models))}, but not in use while several projects are"
        " open: suggestions may repeat passages of that code"
    )


def describe_choice(model: AdaptedModel, settings: Settings, *, is_served: bool) -> str:
    """Returns what has changed for a user who has chosen between a model and its base.

    Args:
        model: With the choice.
        settings: The user's.
        is_served: Whether suggestions come from the adapted model here.
    """
    title, served = get_title(model), model.record.served
    if settings.remote.url:
        return (
            f"The {served} model is chosen for {title}. It suggests once suggestions no longer come"
            " from a remote server (remote.url)."
        )
    if served == "base" or is_served:
        return f"Suggestions in {title} come from the {served} model now."
    if not settings.adaptation.use_model:
        return (
            f"The model adapted to {title} is chosen. It suggests once you turn on the setting"
            " adaptation.use_model."
        )
    return (
        f"The model adapted to {title} is chosen. It suggests while {title} is the only project"
        " open, unless your settings name another model."
    )


def describe_status(state: AdaptationState) -> str:
    """Returns how an adaptation is going in a few words, for status bars; "" if it has ended."""
    if state.state is RunState.RUNNING:
        left = "" if state.left_s is None else f", {format_time_left(state.left_s)} left"
        return f"Adapting {state.done:.0%}{left}"
    if state.state is RunState.PAUSED:
        return f"Adapting {state.done:.0%}, {state.reason or 'paused'}"
    if state.state is RunState.INTERRUPTED:
        return f"Adaptation interrupted at {state.done:.0%}"
    return ""


def describe_run(state: AdaptationState) -> str:
    """Returns how an adaptation is going, in a sentence."""
    if state.state is RunState.INTERRUPTED:
        name = Path(state.folder).name
        return (
            f"The adaptation to {name} was interrupted at {state.done:.0%}."
            " Resume it, or cancel it to discard what it has learned so far."
        )
    return state.sentence


def describe_start(folder: Path, minutes: float) -> str:
    """Returns what has started."""
    return (
        f"Parrotlet adapts its model to {folder.name}, for about {format_minutes(minutes)} at low"
        " priority. Keep working: suggestions come as before."
    )


def describe_end(state: AdaptationState, *, is_served: bool, is_withheld: bool) -> str:
    """Returns what an adaptation that has ended brought.

    Args:
        state: How it ended.
        is_served: Whether suggestions come from the adapted model.
        is_withheld: Whether they would, if no other project were open.
    """
    if state.state is RunState.FAILED and state.reason:
        return state.reason
    if state.outcome is Outcome.BETTER and is_served:
        return f"{state.sentence} Suggestions come from the adapted model now."
    if state.outcome is Outcome.BETTER and is_withheld:
        return f"{state.sentence} It suggests while no other project is open."
    return state.sentence


def list_end_actions(state: AdaptationState) -> tuple[Action, ...]:
    """Returns what can be done once an adaptation has ended."""
    if state.state in _ENDED_WITHOUT_RESULT or state.page is None:
        return ()
    argument = {"name": state.name}
    return (Action(title="Show Adaptation Report", command=REPORT, argument=argument),)


def format_minutes(minutes: float) -> str:
    """Returns a time as "20 minutes"."""
    if minutes < 1:
        return f"{60 * minutes:.0f} seconds"
    if minutes < _MAX_MINUTES_SHOWN:
        return "1 minute" if round(minutes) == 1 else f"{minutes:.0f} minutes"
    hours = f"{minutes / 60:.1f}".removesuffix(".0")
    return "1 hour" if hours == "1" else f"{hours} hours"


def format_time_left(seconds: float) -> str:
    """Returns a time as "9 min"."""
    if seconds < _MINUTE_S:
        return "under 1 min"
    if seconds < _MAX_MINUTES_SHOWN * _MINUTE_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _ask_to_adapt(folder: Path, model: AdaptedModel | None, settings: Settings) -> Question:
    minutes = format_minutes(settings.adaptation.minutes)
    detail = (
        f"Parrotlet trains a copy of its model on this repository for about {minutes}, at low"
        " priority. Nothing leaves this machine. Suggestions come as before, and from the adapted"
        " model only if it is better."
    )
    if model is not None:
        made = _format_date(_find_date(model))
        detail = f"The model was adapted on {made}, and is trained further from there. {detail}"
    return Question(message=f'Adapt the model to "{folder.name}"?', detail=detail, button="Adapt")


def _find_date(model: AdaptedModel) -> float:
    """Returns when the artifact in use was made, in seconds since 1970."""
    try:
        return model.record.created if model.artifact is None else model.artifact.stat().st_mtime
    except OSError:
        return model.record.created


def _format_date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def _describe_size(n_bytes: int) -> str:
    return f"{max(1, round(n_bytes / _MIB))} MiB"
