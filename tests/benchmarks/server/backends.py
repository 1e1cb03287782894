"""What runs the model fastest, and what a suggestion costs while typing.

Run: ``python tests/benchmarks/server/backends.py --install FOLDER [--files FOLDER] [--keys N]``.
The contenders are installed into that folder, once, and nowhere else; without it they have to be
importable (``pip install -c constraints.txt -e '.[bench]'``), or are left out. The bundled model on
prompts as the server makes them, one key after the other in Python files (the interpreter's own
without ``--files``).

First, how many tokens the engine reads for a key, which does not depend on the machine; with
``--only-tokens``, nothing else. Then each back end behind the engine's interface, which owns the
keys and values: a prompt read anew, a token, four tokens verified at once. Then a suggestion of
twelve tokens for each key: the engine as the server uses it, against ONNX Runtime and CTranslate2
that read each prompt anew, and against ``transformers.generate``. All greedy, in turns of all keys,
in one run; each in a process of its own.

Every twelfth key is the first at another place in another file, and counts: the server has read
that place while the cursor rested there, which is not timed. The line "at once" is for a typist who
does not rest at all.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path

import torch
from contenders.own_process import alone
from contenders.whole_prompts import (
    NEEDED,
    ctranslate2_writer,
    install_contenders,
    onnx_network,
    onnx_writer,
    transformers_writer,
)

from server.engine.decoder import Decoder
from server.engine.generation_request import GenerationRequest, Prompt
from server.engine.network import Network
from server.engine.weights.precision import resolve_precision, set_threads
from server.prompt.layout import PromptBuilder
from server.prompt.window import Budget, window_at
from server.settings import Settings
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import load_artifact

NEW_TOKENS = 12
THREADS = (1, 2)
KEYS_IN_A_ROW = 12
ROUNDS = 2
WARM_UP = 3
NETWORKS = (
    "torch float32",
    "torch bfloat16",
    "torch int8",
    "ONNX Runtime float32",
    "ONNX Runtime int8",
)
FIGURES = "ms: the longest prompt anew, a token, four"
OURS, OURS_AT_ONCE = "ours", "ours, at once after a jump"


def prompts_of_typing(files, artifact, n_keys):
    """Yields the prompts of keys, a dozen at each of many places, and where the cursor rested.

    The second is None but for the first key at a place: then it is the prompt before that key.
    """
    builder = PromptBuilder(artifact, heal_tokens=Settings().engine.heal_tokens)
    room = artifact.context_tokens - NEW_TOKENS - builder.overhead_tokens
    context = Settings().context
    budget = Budget.within(
        room,
        prefix_tokens=context.prefix_tokens,
        suffix_tokens=context.suffix_tokens,
        step_lines=context.step_lines,
    )
    chance = random.Random(0)
    while n_keys > 0:
        text = chance.choice(files)
        at = chance.randrange(len(text) // 4, 3 * len(text) // 4)
        line_end = text.find("\n", at + KEYS_IN_A_ROW)
        before = None
        for key in range(1 + min(KEYS_IN_A_ROW, n_keys)):
            typed = text[: at + key] + text[line_end:]
            window = window_at(typed, at + key, budget, builder.count_tokens)
            prompt = replace(builder.build(window, max_tokens=room), required_bytes=b"")
            if key:
                yield prompt, before if key == 1 else None
            before = prompt
        n_keys -= KEYS_IN_A_ROW


def engine(network):
    return Decoder(
        network,
        [b"x"] * network.config.vocab_size,  # no special tokens: nothing ends early
        chunk_tokens=Settings().engine.chunk_tokens,
        cache_bytes=Settings().engine.cache_mib << 20,
        max_guesses=Settings().engine.max_guesses,
    )


def milliseconds(work, n):
    """Returns the median of ``n`` runs, after one that does not count."""
    taken = []
    for _ in range(n + 1):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[1:])


def network_of(title, n, folder):
    """Returns a back end behind the engine's interface."""
    artifact = load_artifact(BUNDLED_MODEL)
    set_threads(n)
    kind, precision = title.rsplit(" ", 1)
    if kind == "torch":
        return Network(artifact.config, artifact.weights, resolve_precision(precision))
    return onnx_network(n, folder, is_int8=precision == "int8")


def behind_the_interface(title, n, prompt, folder):
    """Returns a back end's three figures; its cache is cut back before each."""
    network = network_of(title, n, folder)
    cache = network.new_cache()
    ids = torch.tensor([prompt])

    def extend(tokens, length):
        cache.truncate(length)
        network.logits(network.extend(tokens, cache)[:, -1:])

    anew = milliseconds(lambda: extend(ids, 0), 8)
    token = milliseconds(lambda: extend(ids[:, :1], len(prompt)), 60)
    four = milliseconds(lambda: extend(ids[:, :4], len(prompt)), 30)
    return anew, token, four


def ours(n, _folder):
    decoder = engine(network_of("torch int8", n, None))
    request = GenerationRequest(max_new_tokens=NEW_TOKENS)
    return lambda ids, _n_new: decoder.generate(Prompt(ids=ids), request), decoder


def count_tokens(keys):
    """Prints how many tokens the engine reads for each key, and why if they are many."""
    for title in (OURS_AT_ONCE, OURS):
        _, decoder = ours(1, None)
        computed, reasons = [], Counter()
        for prompt, rested in keys:
            if rested is not None and title == OURS:
                decoder.read_ahead(rested, lambda: False)
            usage = decoder.generate(prompt, GenerationRequest(max_new_tokens=1)).usage
            computed.append(usage.computed_tokens)
            if usage.reread is not None:
                reasons[usage.reread.value] += 1
        p95 = statistics.quantiles(computed, n=20)[-1]
        print(
            f"{title + ', tokens read for a key':44} p50 {statistics.median(computed):.0f}   p95"
            f" {p95:.0f}   most {max(computed)}   {dict(reasons)} of {len(computed)}"
        )


WRITERS = {
    OURS: ours,
    OURS_AT_ONCE: ours,
    "ONNX Runtime int8, anew": onnx_writer,
    "CTranslate2 int8, anew": ctranslate2_writer,
    "transformers.generate, float32": transformers_writer,
}


def suggestions(title, n, keys, folder):
    """Returns the milliseconds of each suggestion, the first few not counted."""
    write, decoder = WRITERS[title](n, folder), None
    if isinstance(write, tuple):
        write, decoder = write
    taken = []
    for prompt, rested in keys[:WARM_UP] + keys:
        if rested is not None and title == OURS:
            decoder.read_ahead(rested, lambda: False)
        started = time.perf_counter()
        write(prompt.ids, NEW_TOKENS)
        taken.append(1000 * (time.perf_counter() - started))
    return taken[WARM_UP:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, default=Path(statistics.__file__).parent)
    parser.add_argument("--keys", type=int, default=120)
    parser.add_argument("--install", type=Path, metavar="FOLDER", help="for the contenders")
    parser.add_argument("--only-tokens", action="store_true", help="count tokens, time nothing")
    options = parser.parse_args()
    if options.install is not None:
        install_contenders(options.install)
    paths = islice((p for p in sorted(options.files.glob("*.py"))), 60)
    files = [p.read_text(encoding="utf-8", errors="replace") for p in paths]
    files = [text for text in files if len(text) > 4000]
    keys = list(prompts_of_typing(files, load_artifact(BUNDLED_MODEL), options.keys))
    count_tokens(keys)
    if options.only_tokens:
        return
    longest = max((prompt.ids for prompt, _ in keys), key=len)[:512]
    missing = {title for title, module in NEEDED.items() if find_spec(module) is None}
    for title in sorted(missing):
        print(f"{title} is not installed: pass --install FOLDER")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, n in product(NETWORKS, THREADS):
            if title.rsplit(" ", 1)[0] not in missing:
                anew, token, four = alone(behind_the_interface, title, n, longest, folder)
                row = f"{anew:8.1f} {token:8.2f} {four:8.2f}"
                print(f"{title + f', {n} threads':34} {row}   ({FIGURES})", flush=True)
        titles = [title for title in WRITERS if title.split(" int8", 1)[0] not in missing]
        suggest(titles, keys, folder)


def suggest(titles, keys, folder):
    """Prints what a suggestion takes by each, and the ratios to ours."""
    taken = {turn: [] for turn in product(titles, THREADS)}
    for title, n in list(taken) * ROUNDS:
        taken[title, n] += alone(suggestions, title, n, keys, folder)
    best, best_p95 = {}, {}
    for (title, n), values in taken.items():
        p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        print(f"{title + f', {n} threads':44} p50 {p50:7.1f} ms   p95 {p95:7.1f} ms", flush=True)
        best[title] = min(p50, best.get(title, p50))
        best_p95[title] = min(p95, best_p95.get(title, p95))
    for title, p50 in best.items():
        if title != OURS:
            print(
                f"ours is {p50 / best[OURS]:.2f} times as fast at p50 as {title},"
                f" {best_p95[title] / best_p95[OURS]:.2f} times at p95"
            )


if __name__ == "__main__":
    main()
