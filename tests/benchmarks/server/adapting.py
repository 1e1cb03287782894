"""What typing costs while the model is being adapted: latency with and without it, in turns.

Run: ``python tests/benchmarks/server/adapting.py FOLDER [--rounds 6] [--tasks 6] [--minutes 60]``,
where FOLDER is the repository to adapt to. A real server and a real adaptation; between the turns
the adaptation is paused and resumed, so that both sides meet the same machine. Each turn types the
same text at a human pace. Aim: the 95th percentile while adapting is at most 1.5 times of idle.

By default the adaptation does not wait while somebody types, which is the hard case; with
``--polite`` it does, as for users.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from evaluation.replay.lsp_client import LspClient
from evaluation.replay.session import Session
from evaluation.replay.session_events import AnswerReceived
from evaluation.replay.typing_tasks import cut_tasks, read_python_files
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import Phase, RunState
from server.adaptation.adaptations import start_adaptation

AIM = 1.5
START_S = 300.0  # until the training has begun, besides the minutes for measuring before it
SWITCH_S = 30.0  # until a pause holds
KINDS = ("idle", "adapting")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--tasks", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--polite", action="store_true")
    return parser.parse_args()


def wait_for(adaptation, condition, what, limit_s):
    """Waits until an adaptation's state meets a condition; ends if it ends."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        state = adaptation.read_state()
        if state is not None and condition(state):
            return
        if state is not None and state.state not in {RunState.RUNNING, RunState.PAUSED}:
            sys.exit(f"the adaptation ended before {what}: {state.reason or state.sentence}")
        time.sleep(0.2)
    sys.exit(f"no {what} within {limit_s:.0f} s")


def is_training(state):
    return state.phase is Phase.TRAINING and state.step > 0


def switch(adaptation, kind):
    if kind == "idle":
        adaptation.pause()
        wait_for(adaptation, lambda s: s.state is RunState.PAUSED, "pause", SWITCH_S)
    else:
        adaptation.resume()
        wait_for(adaptation, lambda s: s.state is RunState.RUNNING, "training", SWITCH_S)


async def type_tasks(client, tasks, pace):
    """Returns the latency of each answer that came in time, in milliseconds."""
    found = []
    for number, task in enumerate(tasks):
        record = await Session(client, task, seed=number, pace=pace).run()
        answers = [event for event in record.events if isinstance(event, AnswerReceived)]
        found += [answer.latency_ms for answer in answers if answer.late_ms is None]
    return found


async def measure(adaptation, options):
    tasks = cut_tasks(read_python_files(options.folder), n=options.tasks, lines=8, seed=0)
    client = await LspClient.start()
    await type_tasks(client, tasks[:1], pace=0)
    latencies = {kind: [] for kind in KINDS}
    for number in range(options.rounds):
        for kind in KINDS if number % 2 == 0 else reversed(KINDS):
            switch(adaptation, kind)
            found = await type_tasks(client, tasks, options.pace)
            latencies[kind] += found
            p95 = statistics.quantiles(found, n=20)[-1]
            print(f"turn {number + 1}, {kind}: {len(found)} answers, p95 {p95:.0f} ms", flush=True)
    await client.close()
    return latencies


def show(latencies):
    p95 = {}
    for kind, values in latencies.items():
        p95[kind] = statistics.quantiles(values, n=20)[-1]
        median = statistics.median(values)
        print(f"{kind:9} {len(values):5} answers  median {median:.0f} ms  p95 {p95[kind]:.0f} ms")
    print(f"p95 while adapting / idle: {p95['adapting'] / p95['idle']:.2f} (aim: {AIM} at most)")


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # not without the cleanup below
    with tempfile.TemporaryDirectory(prefix="adapting-") as folder:
        os.environ["XDG_DATA_HOME"] = folder
        request = AdaptationRequest(
            folder=options.folder.resolve(),
            minutes=options.minutes,
            pauses_on_battery=False,
            pauses_while_typing=options.polite,
        )
        adaptation = start_adaptation(request)
        try:
            wait_for(adaptation, is_training, "first step", START_S + 60 * options.minutes)
            show(asyncio.run(measure(adaptation, options)))
        finally:
            adaptation.cancel()
            end = time.monotonic() + SWITCH_S
            while (state := adaptation.read_state()) and state.has_process:
                if time.monotonic() > end:
                    break
                time.sleep(0.2)


if __name__ == "__main__":
    main()
