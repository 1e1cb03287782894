"""The settings of a pass@k run, with their defaults; those of generation are in ``generators``."""

import argparse
import dataclasses
from dataclasses import dataclass, field

from evaluation.generators.generator import Generation
from evaluation.judge.verdict import MIB, Limits
from evaluation.problems.problem import ProblemSet
from training.foundation.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PasskConfig:
    """The settings of one run, as its summary records them."""

    problems: str = "humaneval"
    generation: Generation = field(default_factory=Generation)
    limits: Limits = field(default_factory=Limits)
    k: tuple[int, ...] = (1, 5)
    workers: int = 2

    def __post_init__(self) -> None:
        if not self.k or min(self.k) < 1:
            raise ValueError("every k must be at least 1")
        if self.workers < 1:
            raise ValueError("--workers must be at least 1")


def resolve_config(options: argparse.Namespace, problem_set: ProblemSet) -> PasskConfig:
    """Returns the settings that a command line asks for.

    Args:
        options: The command line; options that were not given are None.
        problem_set: Its CPU time limit applies where the command line gives none.

    Raises:
        ConfigError: A setting is out of range, or there are fewer samples than a k.
    """
    limits = Limits()
    cpu_s = options.cpu_s or problem_set.cpu_s or limits.cpu_s
    default_ks = (1,) if options.canonical or options.samples else PasskConfig().k
    try:
        config = PasskConfig(
            problems=options.problems,
            generation=Generation(
                n=1 if options.canonical else options.n,
                temperature=options.temperature,
                top_p=options.top_p,
                max_new_tokens=options.max_new_tokens,
                seed=options.seed,
            ),
            limits=dataclasses.replace(
                limits,
                cpu_s=cpu_s,
                wall_s=max(limits.wall_s, 4 * cpu_s),
                memory_bytes=options.memory_mib * MIB,
            ),
            k=tuple(sorted(set(options.k or default_ks))),
            workers=options.workers,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not options.samples and max(config.k) > config.generation.n:
        raise ConfigError(
            f"pass@{max(config.k)} needs at least {max(config.k)} samples per problem, but --n is"
            f" {config.generation.n}; raise --n or lower --k"
        )
    return config
