"""Generates samples with the completer that users get."""

from collections.abc import Mapping
from pathlib import Path

from evaluation.generators.generator import Generation, problem_seed, stop_strings
from evaluation.problems.problem import Problem
from server.backends.batch_settings import choose_batch_settings
from server.completer import Completer
from server.settings import Device
from training.artifact.directory import WEIGHTS_FILE, load_artifact
from training.foundation.atomic_files import file_sha256


class ArtifactGenerator:
    """Generates with an artifact; all samples of a problem share one pass over its prompt.

    Args:
        model: The artifact's folder.
        device: Where it runs; "auto" is a GPU if there is one.

    Raises:
        ArtifactError: It is missing or damaged.
        ConfigError: There is no such device.
    """

    def __init__(self, model: Path, device: Device = "auto") -> None:
        self._completer = Completer.load(model, choose_batch_settings(device))
        artifact = load_artifact(model)
        weights = artifact.weights.values()
        self._can_infill = artifact.fim is not None
        self._identity = {
            "model": str(model),
            "weights_sha256": file_sha256(model / WEIGHTS_FILE),
            "parameters": str(sum(w.numel() for w in weights)),
        }

    @property
    def identity(self) -> Mapping[str, str]:
        """The artifact and its weights."""
        return self._identity

    def generate(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from ``first`` on; each has random numbers of its own.

        The completer generates from left to right if the text after is blank, or the model knows no
        infilling: then nothing but a stop string ends a function.
        """
        infills = self._can_infill and bool(problem.suffix.strip())
        return self._completer.generate(
            problem.prompt,
            problem.suffix,
            n=generation.n,
            max_new_tokens=generation.max_new_tokens,
            temperature=generation.temperature,
            top_p=generation.top_p,
            seed=problem_seed(generation.seed, problem.task_id),
            stop=stop_strings(problem, generation, infills=infills),
            first=first,
        )
