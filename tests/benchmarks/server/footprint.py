"""What the server costs: time until it is ready, memory, and processor time when nobody types.

Run: ``python tests/benchmarks/server/footprint.py``. A real server over its pipes with the bundled
model. Aims: ready in under 3 s, under 600 MiB resident with the worker, no processor time when
idle.
"""

import asyncio
import statistics
import time
from pathlib import Path

import psutil

from evaluation.replay.lsp_client import LspClient
from evaluation.replay.session import Session
from evaluation.replay.session_events import AnswerReceived
from evaluation.replay.typing_tasks import cut_tasks, read_python_files

IDLE_S = 15
STARTS = 5


def resident_mib(client):
    server = psutil.Process(client.pid)
    return [p.memory_info().rss / (1 << 20) for p in (server, *server.children())]


async def main():
    ready = []
    for _ in range(STARTS):
        began = time.perf_counter()
        client = await LspClient.start()
        ready.append(time.perf_counter() - began)
        at_start = resident_mib(client)
        if len(ready) < STARTS:
            await client.close()
    print(
        f"ready after {statistics.median(ready):.2f} s"
        f" (median of {STARTS}; {max(ready):.2f} at most)"
    )
    print("resident at the start: {:.0f} MiB and {:.0f} of the worker".format(*at_start))
    folder = Path(asyncio.__file__).parent
    n_requests = 0
    for number, task in enumerate(cut_tasks(read_python_files(folder), n=8, lines=8, seed=0)):
        record = await Session(client, task, seed=number, pace=0).run()
        n_requests += sum(isinstance(event, AnswerReceived) for event in record.events)
    after = resident_mib(client)
    print(f"after {n_requests} requests in 8 documents: {sum(after):.0f} MiB", after)
    before_s = client.cpu_s()
    await asyncio.sleep(IDLE_S)
    print(f"processor time in {IDLE_S} s of idleness: {1000 * (client.cpu_s() - before_s):.0f} ms")
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
