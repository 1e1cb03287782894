"""Adaptations in editors without our clients: work-done progress, which can be cancelled."""

import asyncio

from adaptation_editor import Editor
from doubles.adaptation_double import BROUGHT, RUNNING, AdaptationDouble

CAPABILITIES = {"window": {"workDoneProgress": True, "showDocument": {"support": True}}}


def adapt_to(folder):
    """Returns an adaptation to a new folder, which runs."""
    folder.mkdir()
    adaptation = AdaptationDouble(folder, folder.parent / "data")
    adaptation.write()
    return adaptation


def is_progress(message, kind, name=""):
    params = message.get("params") or {}
    value = params.get("value") or {}
    return value.get("kind") == kind and name in str(params["token"])


async def test_editors_without_our_clients_see_progress_and_can_cancel(tmp_path):
    """If it fails, Helix and Emacs show nothing for twenty minutes."""
    adaptation = adapt_to(tmp_path / "keystone")
    editor = await Editor().open(tmp_path / "keystone", CAPABILITIES)
    begin = (await editor.wait_for(lambda one: is_progress(one, "begin")))["params"]
    assert begin["value"]["percentage"] == 42
    assert begin["value"]["cancellable"] is True
    assert begin["value"]["message"].startswith("Training on this repository")
    await editor.send(method="window/workDoneProgress/cancel", params={"token": begin["token"]})
    await editor.wait_for(lambda _: adaptation.control == "cancel")
    adaptation.finish()
    shown = await editor.wait_for(lambda one: one.get("method") == "window/showMessage")
    assert shown["params"]["message"].startswith(f"Parrotlet: {BROUGHT}")
    await editor.ask("parrotlet.adaptationReport")
    opened = await editor.wait_for(lambda one: one.get("method") == "window/showDocument")
    assert opened["params"]["external"] is True
    assert opened["params"]["uri"].endswith("report.html")


async def test_each_adaptation_has_its_own_progress_and_cancelling_concerns_it_alone(tmp_path):
    """If it fails, cancelling one project's adaptation discards hours of another's."""
    first, second = adapt_to(tmp_path / "keystone"), adapt_to(tmp_path / "arch")
    editor = await Editor().open(tmp_path / "keystone", CAPABILITIES)
    added = {"uri": (tmp_path / "arch").as_uri(), "name": "arch"}
    event = {"event": {"added": [added], "removed": []}}
    await editor.send(method="workspace/didChangeWorkspaceFolders", params=event)
    begin = (await editor.wait_for(lambda one: is_progress(one, "begin", "arch")))["params"]
    assert begin["value"]["message"] == f"arch: {RUNNING}"
    await editor.wait_for(lambda one: is_progress(one, "begin", "keystone"))
    await editor.send(method="window/workDoneProgress/cancel", params={"token": begin["token"]})
    await editor.wait_for(lambda _: second.control == "cancel")
    second.finish()
    await editor.wait_for(lambda one: is_progress(one, "end", "arch"))
    await asyncio.sleep(0.05)
    assert first.control == ""
    assert not any(is_progress(one, "end", "keystone") for one in editor.messages)
