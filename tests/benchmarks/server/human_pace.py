"""What a suggestion costs at a human pace: the whole server against other engines.

Run: ``python tests/benchmarks/server/human_pace.py --corpus CORPUS --workspace --install FOLDER``.

Between two keys a processor sleeps, lowers its clock and forgets what its caches held, which no
benchmark sees that asks without a pause. So each session of ``python -m evaluation.replay`` is
typed into the real server, and its event log says when which request came, how long its prompt was
and how many tokens were written for it. Each other engine then gets as many requests at the same
moments, with prompts as long, for as many tokens, alone in a process of its own with both threads.

Ours is the server's time for a request: the prompt's making, the model mixed with the workspace,
the rules. Theirs is the engine's alone. Only requests count that reached the model and were not
cancelled, the same ones for all; what a server answers from what it has written before costs
nothing in any of them. All in turns, file by file, in one run.
"""

import argparse
import statistics
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from contenders.own_process import alone
from contenders.whole_prompts import NEEDED, ctranslate2_writer, install_contenders, onnx_writer

from evaluation.replay.replay_run import SERVER_LOG, ReplayOptions, run_replay
from evaluation.replay.typing_tasks import cut_tasks, read_heldout_files
from evaluation.runs.journal import read_journal
from server.settings import Settings
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import load_artifact

WRITERS = {"CTranslate2 int8": ctranslate2_writer, "ONNX Runtime int8": onnx_writer}
THREADS = 2
LINES = 12  # typed in each file
WARM_UP = 3
OURS = "ours, the whole server"


def type_session(task, documents, out):
    """Types one file into the server; returns the replay's metrics and the requests that count.

    A request: when it came, in seconds, the tokens of its prompt, those written, and milliseconds.
    """
    options = ReplayOptions(
        out=out,
        model=None,
        seed=0,
        pace=1.0,
        eagerness=Settings().suggestion.eagerness,
        draws_curve=False,
        workspace=documents,
    )
    metrics = run_replay([task], options).metrics
    requests = [
        (
            event["time"] - event["total_ms"] / 1000,
            event["prompt_tokens"],
            event["new_tokens"],
            event["total_ms"],
        )
        for event in read_journal(out / SERVER_LOG)
        if event.get("new_tokens") and event["stage"] != "cancelled"
    ]
    return metrics, sorted(requests)


def replay_requests(title, requests, ids, folder):
    """Returns the milliseconds of each request, sent to an engine at the same moments."""
    write = WRITERS[title](THREADS, folder)
    for _, n_prompt, n_new, _ in requests[:WARM_UP]:
        write(ids[:n_prompt], n_new)
    taken, begun_s = [], time.monotonic() - requests[0][0]
    for at_s, n_prompt, n_new, _ in requests:
        time.sleep(max(0.0, begun_s + at_s - time.monotonic()))
        started = time.perf_counter()
        write(ids[:n_prompt], n_new)
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def percentiles(values):
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--workspace", action="store_true", help="the files' packages are known")
    parser.add_argument("--n", type=int, default=4, help="files, about a minute each and engine")
    parser.add_argument("--install", type=Path, metavar="FOLDER", help="for the contenders")
    options = parser.parse_args()
    if options.install is not None:
        install_contenders(options.install)
    titles = [title for title in WRITERS if find_spec(NEEDED[title.removesuffix(" int8")])]
    if not titles:
        sys.exit("no other engine is installed: pass --install FOLDER")
    documents = list(read_heldout_files(options.corpus, seed=0))
    tasks = cut_tasks(documents, n=options.n, lines=LINES, seed=0)
    artifact = load_artifact(BUNDLED_MODEL)
    taken = {title: [] for title in (OURS, *titles)}
    with tempfile.TemporaryDirectory() as name:
        for i, task in enumerate(tasks):
            folder = Path(name) / str(i)
            metrics, requests = type_session(
                task, documents if options.workspace else (), folder / "replay"
            )
            ids = artifact.tokenizer.encode(task.prefix + task.target + task.suffix)
            ids = (ids * (1 + artifact.context_tokens // len(ids)))[: artifact.context_tokens]
            taken[OURS] += [request[-1] for request in requests]
            print(f"{task.id}: {len(requests)} requests; the client's times {metrics.latency_ms}")
            for title in titles:
                times = alone(replay_requests, title, requests, ids, folder)
                taken[title] += times
                print("  {}: p50 {:.1f} ms, p95 {:.1f} ms".format(title, *percentiles(times)))
    ours = percentiles(taken[OURS])
    for title, times in taken.items():
        p50, p95 = percentiles(times)
        print(
            f"{title:28} p50 {p50:7.1f} ms   p95 {p95:7.1f} ms   of {len(times)} requests;"
            f" {p50 / ours[0]:.2f} and {p95 / ours[1]:.2f} times ours"
        )


if __name__ == "__main__":
    main()
