"""Typing for an hour from two clients, with faults: what breaks, grows, or is inserted wrongly?

Run: ``python tests/benchmarks/server/soak.py [--minutes 60] [--files DIR | --corpus DIR]``. Two
servers are typed into as fast as they answer. Now and then a worker is killed, a message is
malformed, a document of ten megabytes is opened and asked about, a change comes for a document that
is not open. Each session compares, after every acceptance, its buffer with what the ghost showed.
Printed: requests, faults, what was injected, memory of the first and the last tenth, and the
verdict.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from evaluation.replay.lsp_client import LspClient
from evaluation.replay.session import Session
from evaluation.replay.session_events import AnswerReceived
from evaluation.replay.typing_tasks import cut_tasks, read_heldout_files, read_python_files

MAY_GROW = 1.10  # the last tenth's median over the second tenth's
HUGE = "x = [\n" + "    'a line of some forty characters',\n" * 250_000 + "]\n"
LONG_LINE = "y = '" + "z" * 10_000_000 + "'\n"
KILL_EVERY_S = 30  # at the most: a worker that dies oftener stays away, as it should
FAULTS = ("kill", "malformed", "huge", "long line", "unknown document", "far position")


class Typist:
    """One client: its server, its sessions, and the faults done to it."""

    def __init__(self, client, tasks, seed):
        self.client, self.tasks = client, tasks
        self.chance = random.Random(seed)
        self.faults, self.injected, self.memory = [], dict.fromkeys(FAULTS, 0), []
        self.n_requests, self.n_files = 0, 0
        self.killed_at = 0.0

    async def run(self, until):
        started = time.monotonic()
        for number, task in enumerate(itertools.cycle(self.tasks)):
            if time.monotonic() > until:
                return
            session = Session(self.client, task, seed=number, pace=0)
            record = await asyncio.wait_for(session.run(), 300)
            self.faults += record.faults
            self.n_requests += sum(isinstance(event, AnswerReceived) for event in record.events)
            self.n_files += 1
            self.memory.append((time.monotonic() - started, *self.resident()))
            fault = self.chance.choice(FAULTS)
            if fault != "kill" or time.monotonic() - self.killed_at > KILL_EVERY_S:
                await self.disturb(fault)

    def resident(self):
        """Resident megabytes of the server and of its worker."""
        server = psutil.Process(self.client.pid)
        workers = server.children()
        of_worker = sum(w.memory_info().rss for w in workers) / (1 << 20)
        return server.memory_info().rss / (1 << 20), of_worker

    async def disturb(self, fault):
        self.injected[fault] += 1
        client = self.client
        if fault == "kill":
            self.killed_at = time.monotonic()
            n_told = len(client.messages)
            for worker in psutil.Process(client.pid).children():
                worker.kill()
            await self.until_told(n_told, "ready")
        elif fault == "malformed":
            client.notify("textDocument/inlineCompletion", {"position": "nowhere"})
            number, answer = client.send_request("textDocument/inlineCompletion", {"a": 1})
            await asyncio.wait_for(answer, 30)
            assert number
        elif fault == "unknown document":
            change = {"textDocument": {"uri": "file:///never", "version": 1}, "contentChanges": []}
            client.notify("textDocument/didChange", change)
        elif fault == "far position":
            await self.ask("x = 1\n", 999, 999)
        elif fault == "huge":
            await self.ask(HUGE, 125_000, 10)
        else:
            await self.ask(LONG_LINE, 0, 5_000_000)

    async def ask(self, text, line, character):
        uri = f"file:///soak/{self.chance.random()}.py"
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.client.notify("textDocument/didOpen", {"textDocument": document})
        asked = {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": 2},
        }
        answer = await asyncio.wait_for(
            self.client.request("textDocument/inlineCompletion", asked), 60
        )
        assert "items" in answer, answer
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    async def until_told(self, n_told, state):
        for _ in range(600):
            if any(m["params"].get("state") == state for m in self.client.messages[n_told:]):
                del self.client.messages[:]
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"the server was not {state} within a minute")


def growth(samples):
    """The last tenth's median over the second's (the first is still filling its caches)."""
    tenth = max(1, len(samples) // 10)
    early = samples[tenth : 2 * tenth] or samples[:tenth]
    return statistics.median(samples[-tenth:]) / statistics.median(early)


async def soak(options):
    documents = (
        read_python_files(options.files)
        if options.files
        else read_heldout_files(options.corpus, options.seed)
    )
    tasks = cut_tasks(documents, n=options.n, lines=8, seed=options.seed)
    clients = [await LspClient.start() for _ in range(2)]
    started = time.monotonic()
    pids = [client.pid for client in clients]
    typists = [Typist(c, tasks[i::2] or tasks, i) for i, c in enumerate(clients)]
    await asyncio.gather(*(t.run(started + 60 * options.minutes) for t in typists))
    is_good = True
    for typist, pid in zip(typists, pids, strict=True):
        server, worker = ([sample[i] for sample in typist.memory] for i in (1, 2))
        is_alive = psutil.pid_exists(pid) and typist.client.pid == pid
        grown = (growth(server), growth(worker))
        good = is_alive and not typist.faults and max(grown) <= MAY_GROW
        is_good = is_good and good
        print(
            f"{typist.n_requests} requests in {typist.n_files} files; done: {typist.injected};"
            f" wrong edits and stale answers: {len(typist.faults)}; the server"
            f" {'lives' if is_alive else 'has died'}, {server[-1]:.0f} MiB ({grown[0]:.2f} times"
            f" the beginning's), its worker {worker[-1]:.0f} MiB ({grown[1]:.2f} times)"
        )
        print(*sorted(set(typist.faults)), sep="\n")
        await typist.client.close()
    print(f"{(time.monotonic() - started) / 60:.1f} minutes: {'sound' if is_good else 'NOT SOUND'}")
    return 0 if is_good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--files", type=Path, help="a folder of Python files to type from")
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus/default"))
    parser.add_argument("--n", type=int, default=40, help="files typed in turn")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.files is None and not options.corpus.exists():
        options.files = Path(tempfile.__file__).parent / "email"  # the interpreter's own
    return asyncio.run(soak(options))


if __name__ == "__main__":
    sys.exit(main())
