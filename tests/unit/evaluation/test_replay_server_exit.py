"""A server that exits, or speaks no protocol, ends a replay with one sentence."""

import asyncio
import sys

import pytest

from evaluation.replay.lsp_client import LspClient
from evaluation.replay.session import Session
from evaluation.replay.typing_tasks import TypingTask
from training.foundation.errors import InvalidResultError, PrerequisiteError

TASK = TypingTask(id="a.py", prefix="", target="value = compute(other)\n" * 3, suffix="")
SERVER = """
import json, sys
def send(data, length=None):
    n = len(data) if length is None else length
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % n + data)
    sys.stdout.buffer.flush()
n = 0
while True:
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        if line.lower().startswith(b"content-length"):
            length = int(line.split(b":")[1])
    message = json.loads(sys.stdin.buffer.read(length))
    if "id" in message:
        n += 1
        if n == {last}:
            {action}
            sys.exit(1)
        send(json.dumps({{"jsonrpc": "2.0", "id": message["id"], "result": None}}).encode())
"""
ACTIONS = {
    "nothing": ("pass", "the server has exited"),
    "half a message": ("send(b'{', 99)", "the server has exited"),
    "half a head": ("sys.stdout.buffer.write(b'Content-Len')", "the server has exited"),
    "no length": ("print('Content-Length: x')", "is no message"),
    "no JSON": ("send(b'nonsense')", "is no message"),
    "a list": ("send(b'[1]')", "is no message"),
}


async def start(last, action="pass"):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER.format(last=last, action=action)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    return LspClient(process)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pace", [0, 100.0])
@pytest.mark.parametrize("last", [1, 3])
@pytest.mark.parametrize("action", ACTIONS)
async def test_a_server_that_exits_ends_the_replay(action, last, pace):
    """If it fails, a replay never ends, or counts a dead server as one that suggests nothing."""
    code, sentence = ACTIONS[action]
    client = await start(last, code)
    try:
        with pytest.raises(InvalidResultError, match=f"{sentence}.* while a.py was typed"):
            await Session(client, TASK, seed=0, pace=pace).run()
        for _ in range(3):  # whatever is asked later has an answer at once
            with pytest.raises(ConnectionError, match=sentence):
                await client.request("shutdown", None)
    finally:
        await client.close()


@pytest.mark.timeout(60)
async def test_a_server_that_exits_before_it_is_ready_is_not_waited_for():
    """If it fails, a server that crashes while it starts takes a minute to be reported."""
    client = await start(2)
    await client.request("initialize", {})
    ready = asyncio.create_task(client.wait_until_ready())
    _, answer = client.send_request("parrotlet.health", None)
    with pytest.raises(PrerequisiteError, match="has exited before it was ready"):
        await asyncio.wait_for(ready, 30)
    assert isinstance(answer.exception(), ConnectionError)
    await client.close()
