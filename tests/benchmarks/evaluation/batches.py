"""Samples a second for pass@k: our batches against ``transformers.generate``.

Run: ``python tests/benchmarks/evaluation/batches.py [--n 200] [--device cuda]``. Both sides get the
same prompts, batch, sampling and number of threads, in turns in one run. Prints what each side
takes, and the ratio to the faster precision of transformers: for samples that stop at the end of
the function, as pass@k's do, and for those of the whole length (``--stop``).
"""

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch

from evaluation.generators.artifact_generator import ArtifactGenerator
from evaluation.generators.generator import STOP, Generation
from evaluation.generators.transformers_generator import TransformersGenerator
from evaluation.problems.own import load_own_problems
from server.settings import DEVICES
from training.artifact.bundled import BUNDLED_MODEL

OURS = "ours"


def count_tokens(tokenizer, texts):
    return sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)


def load_sides(model, device):
    """Returns the generators by name; transformers' both as stored and in float32."""
    sides = {OURS: ArtifactGenerator(model, device)}
    stored = TransformersGenerator(str(model), device)
    dtype = str(stored._model.dtype).removeprefix("torch.")
    sides[f"transformers.generate, {dtype}"] = stored
    if dtype != "float32":
        single = TransformersGenerator(str(model), device)
        single._model.float()
        sides["transformers.generate, float32"] = single
    return sides


def measure(sides, problems, generation, rounds):
    """Prints samples and tokens a second of each side, and the ratios."""
    tokenizer = next(side for name, side in sides.items() if name != OURS)._tokenizer
    rates = {name: [] for name in sides}
    warm = replace(generation, n=2, max_new_tokens=2)
    for side in sides.values():
        side.generate(problems[0], warm, first=0)
    for _ in range(rounds):
        for problem in problems:
            for name, side in sides.items():
                started = time.perf_counter()
                texts = side.generate(problem, generation, first=0)
                seconds = time.perf_counter() - started
                rates[name].append(len(texts) / seconds)
                n_tokens = count_tokens(tokenizer, texts)
                print(
                    f"  {problem.task_id:24} {name:34} {len(texts) / seconds:8.1f} samples/s"
                    f" {n_tokens / seconds:9.0f} tokens/s",
                    flush=True,
                )
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name:34} {rate:8.1f} samples/s (median of {len(rates[name])})")
    others = max(rate for name, rate in medians.items() if name != OURS)
    print(f"ours is {medians[OURS] / others:.2f} times as fast", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL)
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--problems", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stop", choices=("both", "function", "none"), default="both")
    options = parser.parse_args()
    problems = load_own_problems()[: options.problems]
    sides = load_sides(options.model, options.device)
    precision = sides[OURS]._completer.describe().precision
    print(f"ours in {precision} on {sides[OURS]._completer.describe().device},")
    print(f"{torch.get_num_threads()} threads, {options.n} samples a problem")
    for title, stop in (("function", STOP), ("none", ())):
        if options.stop in {"both", title}:
            print(f"stop: {title}, at most {options.max_new_tokens} tokens")
            generation = Generation(
                n=options.n,
                temperature=options.temperature,
                top_p=options.top_p,
                max_new_tokens=options.max_new_tokens,
                stop=stop,
            )
            measure(sides, problems, generation, options.rounds)


if __name__ == "__main__":
    main()
