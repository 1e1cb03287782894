"""Completes the same prompts with several models, and describes how their completions differ.

A first look at a model, before any score: the completions side by side, repeated phrases, and what
the text consists of: of code the share of each construct, of prose dialogue, persons and the web.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from evaluation.comparison.constructs import common_phrases, construct_shares, repeated_share
from evaluation.comparison.prompt_sets import PromptSet
from evaluation.comparison.prose_figures import format_prose, measure_prose
from evaluation.generators.generator import Generation
from evaluation.generators.registry import load_generator
from evaluation.problems.problem import Problem
from evaluation.runs.estimators import format_percent
from server.settings import Device

MAX_PHRASES = 10
MAX_PRINTED_CHARS = 400


@dataclass(frozen=True, kw_only=True)
class ModelCompletions:
    """One model's completions of each prompt, the same number of all."""

    identity: Mapping[str, str]
    prompts: tuple[str, ...]
    completions: tuple[tuple[str, ...], ...]
    is_prose: bool = False

    @property
    def texts(self) -> list[str]:
        """All completions, prompt by prompt."""
        return [text for texts in self.completions for text in texts]

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
        return repeated_share(self.texts)

    @property
    def constructs(self) -> Mapping[str, float]:
        """For each construct, the share of completions that use it."""
        pairs = zip(self.prompts, self.completions, strict=True)
        return construct_shares((prompt, text) for prompt, texts in pairs for text in texts)

    @property
    def figures(self) -> Mapping[str, str]:
        """What the text consists of, for people: constructs of code, or figures of prose."""
        if self.is_prose:
            return format_prose(measure_prose(self.texts))
        return {name: format_percent(share, 0) for name, share in self.constructs.items() if share}

    @property
    def phrases(self) -> Sequence[tuple[str, int]]:
        """The most frequent phrases, with the number of completions that contain them."""
        return common_phrases(self.texts, MAX_PHRASES)

    def to_json(self) -> dict[str, object]:
        """Returns what ``comparison.json`` contains of the model."""
        lengths = [len(text) for text in self.texts]
        kind: dict[str, object] = {"constructs": self.constructs}
        if self.is_prose:
            kind = {"prose": measure_prose(self.texts)}
        return {
            **self.identity,
            "mean_chars": sum(lengths) / len(lengths),
            "empty": sum(not text.strip() for text in self.texts) / len(lengths),
            "repetition": self.repeated_phrases,
            **kind,
            "common_phrases": self.phrases,
        }


def complete_prompts(
    model: str, prompts: PromptSet, generation: Generation, device: Device = "auto"
) -> ModelCompletions:
    """Completes every prompt ``generation.n`` times with one model.

    Raises:
        PrerequisiteError: The model cannot be loaded.
    """
    generator = load_generator(model, device)
    problems = [
        Problem(task_id=f"prompt/{number}", prompt=prompt, entry_point="", test="")
        for number, prompt in enumerate(prompts.prompts)
    ]
    bar = tqdm(problems, desc=model, unit="prompt", file=sys.stderr)
    return ModelCompletions(
        identity=generator.identity,
        prompts=prompts.prompts,
        completions=tuple(tuple(generator.generate(p, generation, first=0)) for p in bar),
        is_prose=prompts.is_prose,
    )


def comparison_to_json(models: Sequence[ModelCompletions]) -> dict[str, object]:
    """Returns the contents of ``comparison.json``."""
    return {
        "models": [model.to_json() for model in models],
        "completions": [
            {
                "prompt": prompt,
                # The first completion of each model, and all of them.
                "completions": [model.completions[i][0] for model in models],
                "samples": [model.completions[i] for model in models],
            }
            for i, prompt in enumerate(models[0].prompts)
        ],
    }


def format_comparison(models: Sequence[ModelCompletions]) -> str:
    """Returns what the terminal shows: the completions side by side, then the overview."""
    parts = []
    for i, prompt in enumerate(models[0].prompts):
        parts.append(f"{'=' * 78}\n{prompt}\n")
        for model in models:
            for head, text in head_samples(model, i):
                parts.append(f"{head}\n{text[:MAX_PRINTED_CHARS]}\n")
    parts.append("=" * 78 + "\n")
    parts += ["  ".join(f"{cell:>16}" for cell in row) + "\n" for row in overview_rows(models)]
    return "".join(parts)


def head_samples(model: ModelCompletions, index: int) -> list[tuple[str, str]]:
    """Returns a model's completions of a prompt, each with the line above it."""
    texts = model.completions[index]
    name = f"--- {model.name} ({model.size})"
    if len(texts) == 1:
        return [(name, texts[0])]
    return [(f"{name}, {n} of {len(texts)}", text) for n, text in enumerate(texts, start=1)]


def overview_rows(models: Sequence[ModelCompletions]) -> list[list[str]]:
    """Returns a table with a column for each model; constructs that none uses are left out."""
    figures = [model.figures for model in models]
    nothing = "" if models[0].is_prose else format_percent(0.0, 0)
    return [
        ["model", *(model.name[-16:] for model in models)],
        ["parameters", *(model.size for model in models)],
        ["repetition", *(format_percent(model.repeated_phrases) for model in models)],
        *(
            [name, *(found.get(name, nothing) for found in figures)]
            for name in dict.fromkeys(name for found in figures for name in found)
        ),
    ]
