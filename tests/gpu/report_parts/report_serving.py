"""Samples a second for pass@k, and how long a keystroke waits for its suggestion."""

import statistics
import tempfile
import textwrap
import time
from pathlib import Path

import torch

from evaluation.generators.artifact_generator import ArtifactGenerator
from evaluation.generators.generator import Generation
from evaluation.problems.own import load_own_problems
from server.completer import Completer
from server.settings import EngineSettings, Settings
from server.suggestion.request import CompletionRequest
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import load_artifact, save_artifact
from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.step.init_weights import initialise

N_SAMPLES, MAX_NEW_TOKENS = 200, 128
KEYSTROKES = 60


def measure_samples(device, *, is_tiny):
    """Yields samples a second of the bundled model, of one with 110M parameters, and the other way.

    Nothing stops a sample early, so that all sides generate as many tokens.
    """
    n, length = (2, 4) if is_tiny else (N_SAMPLES, MAX_NEW_TOKENS)
    generation = Generation(n=n, temperature=0.8, max_new_tokens=length, stop=())
    ours = ArtifactGenerator(BUNDLED_MODEL, device)
    yield measure_generator("bundled model", ours, generation)
    if is_tiny:
        return
    yield measure_generator("bundled model, again", ours, generation)
    del ours
    with tempfile.TemporaryDirectory() as folder:
        model = save_random_model(Path(folder) / "110M")
        yield measure_generator("110M", ArtifactGenerator(model, device), generation)
        from evaluation.generators.transformers_generator import TransformersGenerator

        theirs = TransformersGenerator(str(model), device)
        yield measure_generator("110M, transformers.generate", theirs, generation)


def measure_generator(name, generator, generation):
    """Returns the row of one side, after a problem that pays for its set-up."""
    first, second = load_own_problems()[:2]
    generator.generate(first, generation, first=0)
    started = time.perf_counter()
    samples = generator.generate(second, generation, first=0)
    rate = len(samples) / (time.perf_counter() - started)
    note = f"{generation.n} samples of {generation.max_new_tokens} tokens"
    return {"figure": name, "value": rate, "unit": "samples/s", "note": note}


def save_random_model(path):
    """Writes an artifact of GPT-2's smallest size with random weights."""
    bundled = load_artifact(BUNDLED_MODEL)
    config = GPT2Config(
        vocab_size=bundled.config.vocab_size, n_positions=1024, n_embd=768, n_layer=12, n_head=12
    )
    network = GPT2(config)
    initialise(network, torch.Generator().manual_seed(0))
    save_artifact(
        path,
        config=config,
        weights=network.state_dict(),
        tokenizer=bundled.tokenizer,
        manifest=bundled.manifest,
        card="# random\n",
    )
    return path


def measure_keystrokes(device, *, is_tiny):
    """Yields the latency of suggestions while a module of the standard library is typed."""
    text = Path(textwrap.__file__).read_text(encoding="utf-8")
    n = 3 if is_tiny else KEYSTROKES
    for where in dict.fromkeys((device, "cpu")):
        completer = Completer.load(BUNDLED_MODEL, Settings(engine=EngineSettings(device=where)))
        completer.warm_up()
        start = text.index("def _wrap_chunks")
        times_ms = []
        for offset in range(start, start + n):
            request = CompletionRequest(
                text=text[:offset] + text[start + n :], offset=offset, document="typed.py"
            )
            began = time.perf_counter()
            completer.complete(request)
            times_ms.append(1000 * (time.perf_counter() - began))
        times_ms.sort()
        note = f"{n} keystrokes, {completer.describe().precision}"
        median, late = statistics.median(times_ms), times_ms[int(0.95 * (n - 1))]
        yield {"figure": f"{where}: median", "value": median, "unit": "ms", "note": note}
        yield {"figure": f"{where}: 95th percentile", "value": late, "unit": "ms"}
