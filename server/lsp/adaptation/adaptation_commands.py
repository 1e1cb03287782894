"""What an editor can ask for about adaptations: each command, and its answer.

An answer is an object with ``error``, a sentence, or with what there is to show: ``message``, with
``actions`` that may follow; ``title`` and ``actions``, a menu; ``page``, a file to open.
"""

import dataclasses
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptations import Adaptation, find_adaptation, start_adaptation
from server.adaptation.adapted_models import (
    AdaptedModel,
    choose_model,
    choose_model_for,
    get_model,
    list_models,
    remove_model,
)
from server.lsp.adaptation.adaptation_menus import (
    ADAPT,
    CANCEL,
    MENU,
    MODEL,
    MODELS,
    PAUSE,
    REMOVE_MODEL,
    REPORT,
    RESUME,
    USE_MODEL,
    Menu,
    build_adaptation_menu,
    build_model_menu,
    build_models_menu,
    describe_choice,
    describe_start,
    get_title,
    list_run_actions,
)
from server.lsp.documents.document_changes import get_field
from server.suggestion.explanation import end_sentence
from server.user_folders import is_home_or_above
from server.workspace.uris import path_of
from training.foundation.errors import ConfigError, ParrotletError

if TYPE_CHECKING:
    from server.lsp.server import Server

_log = logging.getLogger(__name__)


def add_adaptation_commands(server: "Server") -> None:
    """Registers the commands."""
    answers = _Answers(server)
    for command, answer in answers.list_by_command().items():
        _add_command(server, command, answer)


def _add_command(server: "Server", command: str, answer: Callable[[Any], dict[str, Any]]) -> None:
    @server.command(command)
    async def _run(*arguments: Any) -> dict[str, Any]:
        given = arguments[0] if arguments else None
        content = await server.adaptation_watch.call(lambda: _answer_safely(answer, given))
        if not server.adaptation_watch.shows_messages:
            _show_plainly(server, content)
        return content


def _show_plainly(server: "Server", content: dict[str, Any]) -> None:
    """Has an editor without a display of its own show what an answer says, if it can."""
    if "error" in content:
        server.show(types.MessageType.Error, f"Parrotlet: {content['error']}")
    elif content.get("message"):
        server.show(types.MessageType.Info, f"Parrotlet: {content['message']}")
    window = server.client_capabilities.window
    if "page" in content and window is not None and window.show_document is not None:
        uri = Path(content["page"]).as_uri()
        server.window_show_document(types.ShowDocumentParams(uri=uri, external=True))


def _answer_safely(answer: Callable[[Any], dict[str, Any]], given: Any) -> dict[str, Any]:
    try:
        return answer(given)
    except ParrotletError as error:
        return {"error": end_sentence(_capitalise(str(error)))}
    except OSError as error:
        _log.warning("a command about adaptations failed (%s)", error)
        return {"error": f"The files of adapted models cannot be used ({error.strerror})."}


class _Answers:
    """Reads and writes the files; all methods are called off the event loop.

    Each takes the client's argument, whatever it is: an object with ``uri`` (a document or a
    folder), ``folder`` (a path) or ``name`` (an adapted model); by default the first folder counts.
    """

    def __init__(self, server: "Server") -> None:
        self._server = server

    def list_by_command(self) -> dict[str, Callable[[Any], dict[str, Any]]]:
        return {
            MENU: self._show_menu,
            ADAPT: self._start,
            PAUSE: lambda given: _do(self._find(given).pause),
            RESUME: lambda given: _do(self._find(given).resume),
            CANCEL: lambda given: _do(self._find(given).cancel),
            REPORT: self._find_report,
            MODELS: lambda _: _show(build_models_menu(list_models())),
            MODEL: lambda given: _show(build_model_menu(get_model(_name(given)))),
            USE_MODEL: self._use_model,
            REMOVE_MODEL: _remove_model,
        }

    def _show_menu(self, given: Any) -> dict[str, Any]:
        folder = self._find_folder(given)
        settings = self._server.configuration.settings
        adaptation = find_adaptation(folder)
        state = None if adaptation is None else adaptation.read_state()
        model = None if adaptation is None else adaptation.model
        AdaptationRequest.of(folder, settings)  # what cannot be adapted is said before the question
        answer = _show(build_adaptation_menu(folder, state, model, settings))
        return {**answer, "adaptation": None if state is None else state.to_json()}

    def _start(self, given: Any) -> dict[str, Any]:
        folder = self._find_folder(given)
        request = AdaptationRequest.of(folder, self._server.configuration.settings)
        minutes = get_field(given, "minutes")
        if isinstance(minutes, (int, float)) and not isinstance(minutes, bool):
            request = _change_minutes(request, float(minutes))
        state = start_adaptation(request).read_state()
        actions = () if state is None else list_run_actions(state)
        return {
            "message": describe_start(folder, request.minutes),
            "actions": [dataclasses.asdict(action) for action in actions],
            "adaptation": None if state is None else state.to_json(),
        }

    def _find_report(self, given: Any) -> dict[str, Any]:
        model = self._find(given).model
        if model.page is None:
            raise ConfigError(
                f"there is no report on {get_title(model)} yet; adapt the model first"
            )
        return {"title": f"Adaptation to {get_title(model)}", "page": str(model.page)}

    def _use_model(self, given: Any) -> dict[str, Any]:
        served = get_field(given, "model")
        if served not in {"adapted", "base"}:
            raise ConfigError(f"there is no model '{served}' to use; use adapted or base")
        model = choose_model(_name(given), served)
        roots = self._server.workspace_context.roots
        settings = self._server.configuration.settings
        suggesting = choose_model_for(roots, settings).model
        is_served = suggesting is not None and suggesting.name == model.name
        return {"message": describe_choice(model, settings, is_served=is_served)}

    def _find(self, given: Any) -> Adaptation:
        name = get_field(given, "name")
        if isinstance(name, str):
            return Adaptation(get_model(name))
        folder = self._find_folder(given)
        found = find_adaptation(folder)
        if found is None:
            raise ConfigError(
                f"the model was never adapted to {folder.name}; adapt it first (Adapt Model to This"
                " Workspace)"
            )
        return found

    def _find_folder(self, given: Any) -> Path:
        """Returns the workspace's folder that is meant.

        Raises:
            ConfigError: None is open, or it is no project's.
        """
        folder, uri = get_field(given, "folder"), get_field(given, "uri")
        roots = self._server.workspace_context.roots
        if isinstance(folder, str) and Path(folder) in roots:
            return Path(folder)
        path = path_of(uri) if isinstance(uri, str) else None
        holders = roots if path is None else [root for root in roots if path.is_relative_to(root)]
        if not holders:
            raise ConfigError("no project is open to adapt the model to; open its folder first")
        found = holders[0] if path is None else max(holders, key=lambda root: len(root.parts))
        if any(map(is_home_or_above, (found, Path(os.path.realpath(found))))):
            raise ConfigError(
                f"{found} is not a project but holds all of yours; open the folder of one first"
            )
        return found


def _change_minutes(request: AdaptationRequest, minutes: float) -> AdaptationRequest:
    try:
        return dataclasses.replace(request, minutes=minutes)
    except ValueError as error:  # out of range
        raise ConfigError(f"{error}; choose another number of minutes") from error


def _remove_model(given: Any) -> dict[str, Any]:
    model: AdaptedModel = get_model(_name(given))
    remove_model(model.name)
    return {"message": f"Removed the model adapted to {get_title(model)}."}


def _do(method: Callable[[], None]) -> dict[str, Any]:
    method()
    return {}


def _show(menu: Menu) -> dict[str, Any]:
    return dataclasses.asdict(menu)


def _name(given: Any) -> str:
    return str(get_field(given, "name") or "")


def _capitalise(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
