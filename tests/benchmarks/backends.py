"""What runs the model fastest, and what a suggestion costs while typing.

Run: ``python tests/benchmarks/backends.py [--files FOLDER] [--keys N]``; ``pip install -c
constraints.txt -e '.[bench]'`` brings the contenders. The bundled model on prompts as the server
makes them, one key after the other in Python files (the interpreter's own without ``--files``).

First each back end behind the engine's interface, which owns the keys and values: a prompt read
anew, a token, four tokens verified at once. Then a suggestion of twelve tokens for each key: the
engine as the server uses it, against ONNX Runtime and CTranslate2 that read each prompt anew, and
against ``transformers.generate``. All greedy, in turns of all keys, in one run.
"""

import argparse
import random
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch

from server.context import Budget, window_at
from server.engine.decoder import Decoder
from server.engine.machine import use_threads
from server.engine.network import Network
from server.engine.task import Task
from server.models import BUNDLED_MODEL
from server.prompt import PromptBuilder
from server.settings import Settings
from training.artifact.directory import load_artifact

NEW_TOKENS = 12
THREADS = (1, 2)
KEYS_IN_A_ROW = 12
ROUNDS = 2


def prompts_of_typing(files, artifact, n_keys):
    """Yields the ids of prompts as keys are typed, a dozen at each of many places."""
    builder = PromptBuilder(artifact, heal_tokens=Settings().engine.heal_tokens)
    room = artifact.context_tokens - NEW_TOKENS - builder.overhead_tokens
    budget = Budget.within(Settings().context, room)
    chance = random.Random(0)
    while n_keys > 0:
        text = chance.choice(files)
        at = chance.randrange(len(text) // 4, 3 * len(text) // 4)
        line_end = text.find("\n", at + KEYS_IN_A_ROW)
        for key in range(min(KEYS_IN_A_ROW, n_keys)):
            typed = text[: at + key] + text[line_end:]
            window = window_at(typed, at + key, budget, builder.count)
            yield builder.build(window, max_tokens=room).ids
        n_keys -= KEYS_IN_A_ROW


def engine(network):
    return Decoder(
        network,
        [b"x"] * network.config.vocab_size,  # no special tokens: nothing ends early
        chunk_tokens=Settings().engine.chunk_tokens,
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


def behind_the_interface(name, network, prompt):
    """Prints a back end's three figures; its cache is cut back before each."""
    cache = network.new_cache()
    ids = torch.tensor([prompt])

    def extend(tokens, length):
        cache.truncate(length)
        network.logits(network.extend(tokens, cache)[:, -1:])

    anew = milliseconds(lambda: extend(ids, 0), 8)
    token = milliseconds(lambda: extend(ids[:, :1], len(prompt)), 60)
    four = milliseconds(lambda: extend(ids[:, :4], len(prompt)), 30)
    row = f"{anew:8.1f} {token:8.2f} {four:8.2f}"
    print(f"{name:34} {row}   (ms: {len(prompt)} tokens anew, a token, four)", flush=True)


def networks(artifact, folder):
    """Yields name, threads and what makes a network."""
    config, weights = artifact.config, artifact.weights
    for precision in ("float32", "bfloat16", "int8"):
        for n in THREADS:
            yield f"torch {precision}", n, lambda p=precision: Network(config, weights, p)
    try:
        from contenders.onnx_network import OnnxNetwork
    except ImportError as error:
        print(f"ONNX Runtime: not installed ({error.name})")
        return
    for is_int8 in (False, True):
        for n in THREADS:
            name = f"ONNX Runtime {'int8' if is_int8 else 'float32'}"
            options = {"threads": n, "is_int8": is_int8}
            yield name, n, lambda o=options: OnnxNetwork(config, weights, folder, **o)


def ctranslate2_writers(artifact, folder):
    """Yields name, threads and a function from ids to a suggestion."""
    try:
        import ctranslate2
        from ctranslate2.converters import TransformersConverter
    except ImportError as error:
        print(f"CTranslate2: not installed ({error.name})")
        return
    converted = folder / "ctranslate2"
    TransformersConverter(str(artifact.path)).convert(str(converted), quantization="int8")
    settings = converted / "config.json"  # it takes neither from a GPT2Config
    text = settings.read_text().replace('"layer_norm_epsilon": null', '"layer_norm_epsilon": 1e-5')
    settings.write_text(text.replace("null", '"<|endoftext|>"'))
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(artifact.path)
    tokens = tokenizer.convert_ids_to_tokens(list(range(artifact.tokenizer.vocab_size)))
    for n in THREADS:
        model = ctranslate2.Generator(str(converted), compute_type="int8", intra_threads=n)

        def write(ids, model=model):
            model.generate_batch(
                [[tokens[i] for i in ids]],
                max_length=NEW_TOKENS,
                min_length=NEW_TOKENS,
                sampling_topk=1,
                include_prompt_in_result=False,
            )

        yield "CTranslate2 int8, anew", n, write


def onnx_writers(artifact, folder):
    for name, n, make in networks(artifact, folder):
        if "int8" not in name or "ONNX" not in name:
            continue
        network = make()

        def write(ids, network=network):
            cache = network.new_cache()
            logits = network.extend(torch.tensor([ids]), cache)
            for _ in range(NEW_TOKENS - 1):
                logits = network.extend(logits[:, -1:].argmax(-1), cache)

        yield f"{name}, anew", n, write


def transformers_writers(artifact):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(artifact.path).eval().float()
    for n in THREADS:

        def write(ids):
            ids = torch.tensor([ids])
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                min_new_tokens=NEW_TOKENS,
                pad_token_id=0,
            )

        yield "transformers.generate, float32", n, write


def our_writers(artifact):
    for n in THREADS:
        decoder = engine(Network(artifact.config, artifact.weights, "int8"))

        def write(ids, decoder=decoder):
            decoder.run(Task(prompt=ids, max_new_tokens=NEW_TOKENS))

        yield "ours", n, write


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, default=Path(statistics.__file__).parent)
    parser.add_argument("--keys", type=int, default=120)
    options = parser.parse_args()
    paths = islice((p for p in sorted(options.files.glob("*.py"))), 60)
    files = [p.read_text(encoding="utf-8", errors="replace") for p in paths]
    files = [text for text in files if len(text) > 4000]
    artifact = load_artifact(BUNDLED_MODEL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = list(prompts_of_typing(files, artifact, options.keys))
        longest = max(keys, key=len)[:512]
        for title, n, make in networks(artifact, folder):
            use_threads(n)
            behind_the_interface(f"{title}, {n} threads", make(), longest)
        writers = [
            *our_writers(artifact),
            *onnx_writers(artifact, folder),
            *ctranslate2_writers(artifact, folder),
            *transformers_writers(artifact),
        ]
        suggest(writers, keys)


def suggest(writers, keys):
    """Prints what a suggestion takes by each, and the ratios to ours."""
    taken = {(title, n): [] for title, n, _ in writers}
    for title, n, write in writers * ROUNDS:  # one after the other: idle threads of one slow others
        torch.set_num_threads(n)
        for ids in keys:
            started = time.perf_counter()
            write(ids)
            taken[title, n].append(1000 * (time.perf_counter() - started))
    best = {}
    for (title, n), values in taken.items():
        p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        print(f"{title + f', {n} threads':44} p50 {p50:7.1f} ms   p95 {p95:7.1f} ms", flush=True)
        best[title] = min(p50, best.get(title, p50))
    for title, p50 in best.items():
        print(f"ours is {p50 / best['ours']:.2f} times as fast at p50 as {title}")


if __name__ == "__main__":
    main()
