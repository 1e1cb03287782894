"""What a memory of the workspace costs: to index it, and for each token that is generated.

Run: ``python tests/benchmarks/server/memory.py [--model FOLDER] [--tokens N]`` on an idle machine.
The workspace is the standard library, as much of it as has so many tokens; the prompts are the
beginnings of lines in it. Both ways generate the same number of tokens, in turns.
"""

import argparse
import random
import resource
import statistics
import sys
import time
from itertools import islice
from pathlib import Path

from server.backends.context_budget import window_between
from server.backends.local_model import LocalModel
from server.engine.generation_request import GenerationRequest
from server.memory.token_memory import TokenMemory
from server.settings import Settings
from server.workspace.sources.source_files import find_sources
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import load_artifact

LIBRARY = Path(statistics.__file__).parent
N_NEW_TOKENS = 16


def take_files(model, n_tokens):
    """The library's files in their order, as long as they fit; a token has some four bytes."""
    n_bytes = 4 * n_tokens
    for file in find_sources([LIBRARY], ()):
        n_bytes -= len(file.read())
        if n_bytes < 0:
            return
        yield file


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def draw_prompts(files, n):
    """Beginnings of lines, with the files that they are in."""
    chance = random.Random(0)
    for file in islice(chance.sample(files, len(files)), n):
        lines = file.read().splitlines(keepends=True)
        at = chance.randrange(len(lines))
        yield file, "".join(lines[:at]), "".join(lines[at + 1 :])


def time_tokens(model, prompt, memory):
    """Returns milliseconds for each token."""
    _, prefix, suffix = prompt
    window = window_between(prefix, suffix, N_NEW_TOKENS, model)
    request = GenerationRequest(max_new_tokens=N_NEW_TOKENS)
    model.generate(window, request, memory=memory)  # reads the prompt, which is not measured
    started = time.perf_counter()
    found = model.generate(window, request, memory=memory)
    return 1000 * (time.perf_counter() - started) / max(1, len(found.sequences[0].ids))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL)
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--prompts", type=int, default=40)
    options = parser.parse_args()
    model = LocalModel(load_artifact(options.model), Settings().engine)
    before_mib, started = peak_mib(), time.perf_counter()
    files = list(take_files(model, options.tokens))
    index = model.index_files(files)
    print(
        f"indexed {index.n_tokens} tokens of {len(index.paths)} files in"
        f" {time.perf_counter() - started:.1f} s, {peak_mib() - before_mib:.0f} MiB more at most"
    )
    without, known = [], []
    for prompt in draw_prompts(files, options.prompts):
        memory = TokenMemory([index.without({prompt[0].path})])
        without.append(time_tokens(model, prompt, None))
        known.append(time_tokens(model, prompt, memory))
    print(f"a token without memory: {statistics.median(without):.2f} ms at the median")
    print(f"a token with memory:    {statistics.median(known):.2f} ms at the median")


if __name__ == "__main__":
    sys.exit(main())
