"""An editor that is gone although its pipe is still open."""

import asyncio
import os
import subprocess
import sys

import pytest

from server.lsp.connection import client_process
from server.lsp.connection.client_process import wait_until_gone


@pytest.fixture(autouse=True)
def short_interval(monkeypatch):
    monkeypatch.setattr(client_process, "_CHECK_INTERVAL_S", 0.02)


async def is_gone(pid, seconds):
    try:
        async with asyncio.timeout(seconds):
            await wait_until_gone(pid)
    except TimeoutError:
        return False
    return True


async def test_an_editor_that_is_killed_is_noticed():
    """If it fails, each crash of an editor leaves a server and its model in memory."""
    editor = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE
    )
    assert not await is_gone(editor.pid, 0.2)
    editor.kill()
    assert await is_gone(editor.pid, 5)  # as a zombie, too: nobody has waited for it
    editor.wait()
    editor.stdin.close()
    assert await is_gone(editor.pid, 5)


@pytest.mark.parametrize("pid", [2**31 - 1, -1, 10**400])
async def test_a_process_that_is_not_there_is_gone(pid, monkeypatch):
    assert await is_gone(pid, 5)
    monkeypatch.setattr(os, "getppid", lambda: 0)  # in a container, numbers from outside
    assert not await is_gone(pid, 0.1)


async def test_a_running_process_is_not_gone():
    assert not await is_gone(os.getpid(), 0.1)
