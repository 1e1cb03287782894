"""An editor with a workspace that is adapted to, over the real protocol layer."""

import asyncio
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from lsp_session import Session

OURS = {"experimental": {"parrotlet": {"shows": ["progress", "messages"]}}}


class Editor:
    """A client, everything that it was sent, and the model that its server was given."""

    def __init__(self):
        self.session, self.messages = Session(), []
        self.models = self.session.service.workspace_models

    async def open(self, folder, capabilities=OURS):
        capabilities = {"textDocument": {"inlineCompletion": {}}, **capabilities}
        params = {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities}
        await self.send(method="initialize", params=params, id="initialize")
        await self.send(method="initialized", params={})
        return self

    async def send(self, **message):
        await self._receive(await self.session.send(**message))

    async def _receive(self, messages):
        """Keeps messages, and answers those that ask for a place to show progress in."""
        self.messages += messages
        for one in messages:
            if one.get("method") == "window/workDoneProgress/create":
                await self.send(id=one["id"], result=None)

    async def wait_for(self, is_wanted):
        end = time.monotonic() + 5
        while time.monotonic() < end:
            await self._receive(await self.session.answers())
            found = [one for one in self.messages if is_wanted(one)]
            if found:
                return found[-1]
            await asyncio.sleep(0.005)
        raise AssertionError(self.messages[-3:])

    async def hear(self, **values):
        """Returns the newest notification with these values."""

        def is_wanted(message):
            params = message.get("params") or {}
            is_ours = message.get("method") == "parrotlet/adaptation"
            return is_ours and all(params.get(name) == wanted for name, wanted in values.items())

        return (await self.wait_for(is_wanted))["params"]

    async def notice(self, words):
        """Returns the notice that contains some words."""

        def has_it(message):
            notices = (message.get("params") or {}).get("notices") or []
            return any(words in one["message"] for one in notices)

        found = await self.wait_for(has_it)
        return next(one for one in found["params"]["notices"] if words in one["message"])

    async def ask(self, command, argument=None):
        """Returns the answer to a command."""
        params = {"command": command, "arguments": [] if argument is None else [argument]}
        msg_id = f"{command}-{time.monotonic()}"
        await self.send(method="workspace/executeCommand", params=params, id=msg_id)
        return (await self.wait_for(lambda one: one.get("id") == msg_id))["result"]
