"""What a memory of the workspace costs: to index it, for each token, for an edit, and at rest.

Run: ``python tests/benchmarks/server/memory.py [--model FOLDER] [--tokens N]`` on an idle machine.
The workspace is the standard library, as much of it as has so many tokens; the prompts are the
beginnings of lines in it. Whatever is compared is measured in turns.
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import psutil

from evaluation.replay.lsp_client import LspClient
from server.backends.context_budget import window_between
from server.backends.local_model import LocalModel
from server.engine.generation_request import GenerationRequest
from server.indexing.index_store import open_index
from server.isolation import child_command, child_environment
from server.settings import Settings
from server.user_folders import redirect_caches
from server.workspace.sources.source_files import find_sources
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import load_artifact

LIBRARY = Path(statistics.__file__).parent
N_NEW_TOKENS = 16
N_EDITS, N_STARTS = 40, 3
SETTLE_S, IDLE_S = 10.0, 20.0


def make_workspace(root, n_tokens):
    """Copies the library's files in their order, as long as they fit; a token has four bytes."""
    n_bytes = 4 * n_tokens
    for file in find_sources([LIBRARY], ()):
        n_bytes -= len(file.read())
        if n_bytes < 0:
            return
        target = root / Path(file.path).relative_to(LIBRARY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.path, target)


def measure_indexing(root, caches, tokenizer_file):
    """Runs the indexing process; returns what it has made, as the worker maps it."""
    request = {"roots": [str(root)], "private_globs": [], "tokenizer": str(tokenizer_file)}
    for what in ("nothing is known", "one file has changed"):
        started = time.perf_counter()
        process = subprocess.Popen(
            child_command("server.indexing"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**child_environment(), **redirect_caches(caches)},
            start_new_session=True,
        )
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        peak_mib = watch_memory(process)
        found = open_index(Path(json.loads(process.stdout.read())["folder"]))
        print(
            f"indexed, {what}: {found.index.n_tokens} tokens of {len(found.index.paths)} files in"
            f" {time.perf_counter() - started:.1f} s, {peak_mib:.0f} MiB at most"
        )
        Path(found.index.paths[0]).touch()
    return found


def watch_memory(process):
    """Waits for a process; returns the most memory that it had."""
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            peak = max(peak, watched.memory_info().rss)
        time.sleep(0.02)
    return peak / (1 << 20)


def draw_prompts(paths, n):
    """Beginnings of lines, with the files that they are in."""
    chance = random.Random(0)
    for path in islice(chance.sample(list(paths), len(paths)), n):
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        at = chance.randrange(max(1, len(lines)))
        yield path, "".join(lines[:at]), "".join(lines[at + 1 :])


def time_tokens(model, prompt, memory):
    """Returns milliseconds for each token."""
    _, prefix, suffix = prompt
    window = window_between(prefix, suffix, N_NEW_TOKENS, model)
    request = GenerationRequest(max_new_tokens=N_NEW_TOKENS)
    model.generate(window, request, memory=memory)  # reads the prompt, which is not measured
    started = time.perf_counter()
    found = model.generate(window, request, memory=memory)
    usage = found.usage
    return 1000 * (time.perf_counter() - started) / max(1, usage.new_tokens)


def measure_tokens(model, stored, n_prompts):
    memory = model.create_memory()
    memory.use_files(stored.index, built=stored.built)
    without, known = [], []
    for prompt in draw_prompts(stored.index.paths, n_prompts):
        recalled = memory.recall(Path(prompt[0]).as_uri())
        without.append(time_tokens(model, prompt, None))
        known.append(time_tokens(model, prompt, recalled))
    print(f"a token without memory: {statistics.median(without):.2f} ms at the median")
    print(f"a token with memory:    {statistics.median(known):.2f} ms at the median")
    print(
        "the difference:        "
        f" {statistics.median(b - a for a, b in zip(without, known, strict=True)):.2f} ms"
    )
    return memory


def measure_edits(memory, stored):
    """An open document changes, and the next request of another one knows it."""
    path, prefix, suffix = next(draw_prompts(stored.index.paths, 1))
    times_ms = []
    for number in range(N_EDITS):
        started = time.perf_counter()
        memory.update_document(Path(path).as_uri(), f"{prefix}edited_{number} = 1\n{suffix}")
        memory.recall("untitled:other").find([1, 2, 3])
        times_ms.append(1000 * (time.perf_counter() - started))
    n_chars = len(prefix) + len(suffix)
    print(f"an edit in {n_chars} characters: {max(times_ms):.1f} ms at most of {N_EDITS}")


async def start_server(root, caches, *, is_remembered):
    started = time.perf_counter()
    options = {"context": {"workspace_memory": is_remembered}}
    client = await LspClient.start((), options, root=root, environment=redirect_caches(caches))
    return client, time.perf_counter() - started


def resident_mib(client):
    processes = [psutil.Process(client.pid), *psutil.Process(client.pid).children(recursive=True)]
    return sum(process.memory_info().rss for process in processes) / (1 << 20)


async def measure_servers(root, caches):
    starts, sizes, idle_s = {True: [], False: []}, {}, {}
    for _ in range(N_STARTS):
        for is_remembered in (False, True):
            client, start_s = await start_server(root, caches, is_remembered=is_remembered)
            starts[is_remembered].append(start_s)
            if len(starts[is_remembered]) == 1:
                if is_remembered:
                    await client.wait_until_indexed()
                await asyncio.sleep(SETTLE_S)
                before_s = client.cpu_s()
                await asyncio.sleep(IDLE_S)
                idle_s[is_remembered] = client.cpu_s() - before_s
                sizes[is_remembered] = resident_mib(client)
            await client.close()
    for is_remembered, word in ((False, "without"), (True, "with")):
        print(
            f"a server {word} memory: ready after {statistics.median(starts[is_remembered]):.2f} s"
            f" at the median of {N_STARTS}, {sizes[is_remembered]:.0f} MiB,"
            f" {1000 * idle_s[is_remembered]:.0f} ms of processor time in {IDLE_S:.0f} s at rest"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL)
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--prompts", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, caches = Path(folder, "workspace"), Path(folder, "caches")
        make_workspace(root, options.tokens)
        stored = measure_indexing(root, caches, options.model / "tokenizer.json")
        model = LocalModel(load_artifact(options.model), Settings().engine)
        measure_edits(measure_tokens(model, stored, options.prompts), stored)
        asyncio.run(measure_servers(root, caches))


if __name__ == "__main__":
    sys.exit(main())
