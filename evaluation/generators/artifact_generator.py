"""Generates samples with the completer that users get."""

from collections.abc import Mapping
from pathlib import Path

from evaluation.generators.generator import Generation, problem_seed, stop_strings
from evaluation.problems.problem import Problem
from server.completer import Completer
from training.artifact.directory import WEIGHTS_FILE, load_artifact
from training.foundation.atomic_files import file_sha256


class ArtifactGenerator:
    """Generates with an artifact; all samples of a problem share one pass over its prompt.

    Args:
        model: The artifact's folder.

    Raises:
        ArtifactError: It is missing or damaged.
    """

    def __init__(self, model: Path) -> None:
        self._completer = Completer.load(model)
        weights = load_artifact(model).weights.values()
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
        """Returns the samples from ``first`` on; all are drawn, since they share a batch."""
        return self._completer.generate(
            problem.prompt,
            problem.suffix,
            n=generation.n,
            max_new_tokens=generation.max_new_tokens,
            temperature=generation.temperature,
            top_p=generation.top_p,
            seed=problem_seed(generation.seed, problem.task_id),
            stop=stop_strings(problem, generation),
        )[first:]
