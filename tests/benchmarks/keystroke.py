"""What a keystroke costs: ``python tests/benchmarks/keystroke.py [threads]``.

A network of the default shape with random weights; a prompt of 512 tokens is in the cache, each key
changes its last two tokens and a line of twelve is written. Prints milliseconds for each type of
the matrices, and what reading a fresh prompt takes.
"""

import random
import statistics
import sys
import time

import torch

from server.engine.decoder import Decoder, Task
from server.engine.machine import use_threads
from server.engine.network import Network
from training.artifact.gpt2 import GPT2
from training.artifact.shape import GPT2Config
from training.step.initial import initialise

PROMPT_TOKENS, CHANGED_TOKENS, NEW_TOKENS, N_KEYS = 512, 2, 12, 60


def main() -> None:
    threads = use_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    config = GPT2Config(vocab_size=16_384)
    model = GPT2(config)
    initialise(model, torch.Generator().manual_seed(0))
    table = [b"x"] * config.vocab_size  # no special tokens: nothing ends early
    for dtype in (torch.float32, torch.bfloat16):
        network = Network(config, model.state_dict(), dtype)
        decoder = Decoder(network, table, chunk_tokens=128)
        chance = random.Random(0)
        prompt = [chance.randrange(config.vocab_size) for _ in range(PROMPT_TOKENS)]
        decoder.run(Task(prompt=prompt, max_new_tokens=1))
        fresh, keys, firsts = [], [], []
        for _ in range(5):
            prompt[0] = chance.randrange(config.vocab_size)
            fresh.append(timed(decoder, prompt, 1)[0])
        for _ in range(N_KEYS):
            for i in range(1, CHANGED_TOKENS + 1):
                prompt[-i] = chance.randrange(config.vocab_size)
            took, first = timed(decoder, prompt, NEW_TOKENS)
            keys.append(took)
            firsts.append(first)
        p95 = statistics.quantiles(keys, n=20)[-1]
        print(
            f"{threads} threads, {str(dtype).removeprefix('torch.')}: fresh prompt"
            f" {statistics.median(fresh):.1f} ms; key p50 {statistics.median(keys):.1f} ms,"
            f" p95 {p95:.1f} ms, first token {statistics.median(firsts):.1f} ms"
        )


def timed(decoder: Decoder, prompt: list[int], n_tokens: int) -> tuple[float, float]:
    started = time.perf_counter()
    outcome = decoder.run(Task(prompt=prompt, max_new_tokens=n_tokens))
    assert outcome.first_token_s is not None
    return 1000 * (time.perf_counter() - started), 1000 * outcome.first_token_s


if __name__ == "__main__":
    main()
