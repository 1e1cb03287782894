"""Completes the same prompts with several models, and describes how their completions differ.

A first look at a model, before any score: the completions side by side, the share of each
construct, and repeated phrases.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from evaluation.comparison.constructs import common_phrases, construct_shares, repeated_share
from evaluation.generators.generator import Generation
from evaluation.generators.registry import load_generator
from evaluation.problems.own import load_own_problems
from evaluation.problems.problem import Problem
from evaluation.runs.estimators import format_percent
from evaluation.runs.input_files import read_text_file
from server.settings import Device
from training.foundation.errors import ConfigError

MAX_PHRASES = 10
MAX_PRINTED_CHARS = 400
SEPARATOR = "\n---\n"  # between prompts in a file


@dataclass(frozen=True, kw_only=True)
class ModelCompletions:
    """One model's completion of each prompt."""

    identity: Mapping[str, str]
    prompts: tuple[str, ...]
    completions: tuple[str, ...]

    @property
    def name(self) -> str:
        """The model as the command line named it."""
        return self.identity["model"]

    @property
    def size(self) -> str:
        """The number of parameters, for people."""
        n = int(self.identity.get("parameters", "0"))
        return f"{n / 1e6:.1f}M" if n else "size unknown"

    @property
    def repeated_phrases(self) -> float:
        """The share of phrases that repeat an earlier one of the same completion."""
        return repeated_share(self.completions)

    @property
    def constructs(self) -> Mapping[str, float]:
        """For each construct, the share of completions that use it."""
        return construct_shares(zip(self.prompts, self.completions, strict=True))

    @property
    def phrases(self) -> Sequence[tuple[str, int]]:
        """The most frequent phrases, with the number of completions that contain them."""
        return common_phrases(self.completions, MAX_PHRASES)

    def to_json(self) -> dict[str, object]:
        """Returns what ``comparison.json`` contains of the model."""
        lengths = [len(text) for text in self.completions]
        return {
            **self.identity,
            "mean_chars": sum(lengths) / len(lengths),
            "empty": sum(not text.strip() for text in self.completions) / len(lengths),
            "repetition": self.repeated_phrases,
            "constructs": self.constructs,
            "common_phrases": self.phrases,
        }


def read_prompts(path: Path | None) -> list[str]:
    """Returns the prompts in a file; without one, those of the problem set ``own``.

    Raises:
        ConfigError: The file contains no prompt.
        PrerequisiteError: The file does not exist.
    """
    if path is None:
        return [problem.prompt for problem in load_own_problems()]
    text = read_text_file(path, "--prompts")
    prompts = [prompt for prompt in text.split(SEPARATOR) if prompt.strip()]
    if not prompts:
        raise ConfigError(f"{path} contains no prompts; write prompts separated by lines of ---")
    return prompts


def complete_prompts(
    model: str, prompts: Sequence[str], generation: Generation, device: Device = "auto"
) -> ModelCompletions:
    """Completes every prompt with one model.

    Raises:
        PrerequisiteError: The model cannot be loaded.
    """
    generator = load_generator(model, device)
    problems = [
        Problem(task_id=f"prompt/{number}", prompt=prompt, entry_point="", test="")
        for number, prompt in enumerate(prompts)
    ]
    bar = tqdm(problems, desc=model, unit="prompt", file=sys.stderr)
    return ModelCompletions(
        identity=generator.identity,
        prompts=tuple(prompts),
        completions=tuple(generator.generate(problem, generation, first=0)[0] for problem in bar),
    )


def comparison_to_json(models: Sequence[ModelCompletions]) -> dict[str, object]:
    """Returns the contents of ``comparison.json``."""
    return {
        "models": [model.to_json() for model in models],
        "completions": [
            {"prompt": prompt, "completions": [model.completions[i] for model in models]}
            for i, prompt in enumerate(models[0].prompts)
        ],
    }


def format_comparison(models: Sequence[ModelCompletions]) -> str:
    """Returns what the terminal shows: the completions side by side, then the overview."""
    parts = []
    for i, prompt in enumerate(models[0].prompts):
        parts.append(f"{'=' * 78}\n{prompt}\n")
        for model in models:
            completion = model.completions[i][:MAX_PRINTED_CHARS]
            parts.append(f"--- {model.name} ({model.size})\n{completion}\n")
    parts.append("=" * 78 + "\n")
    parts += ["  ".join(f"{cell:>16}" for cell in row) + "\n" for row in overview_rows(models)]
    return "".join(parts)


def overview_rows(models: Sequence[ModelCompletions]) -> list[list[str]]:
    """Returns a table with a column for each model; constructs that none uses are left out."""
    constructs = [model.constructs for model in models]
    return [
        ["model", *(model.name[-16:] for model in models)],
        ["parameters", *(model.size for model in models)],
        ["repetition", *(format_percent(model.repeated_phrases) for model in models)],
        *(
            [name, *(format_percent(shares[name], 0) for shares in constructs)]
            for name in constructs[0]
            if any(shares[name] for shares in constructs)
        ),
    ]
