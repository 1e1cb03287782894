"""What a pass@k run is asked for: its settings with their defaults, and the corpus' overlap."""

import argparse
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from evaluation.generators.generator import Generation
from evaluation.judge.verdict import MIB, Limits
from evaluation.problems.problem import ProblemSet
from evaluation.runs.input_files import read_text_file
from evaluation.runs.record_fields import get_field, get_optional_field, get_texts, shorten
from training.foundation.config_schema import RangedConfig, number_field
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import parse_json


@dataclass(frozen=True, kw_only=True)
class PasskConfig(RangedConfig):
    """The settings of one run, as its summary records them."""

    problems: str = "humaneval"
    generation: Generation = field(default_factory=Generation)
    limits: Limits = field(default_factory=Limits)
    k: tuple[int, ...] = number_field((1, 5), least=1, most=10_000)
    workers: int = number_field(2, least=1, most=256)


@dataclass(frozen=True, kw_only=True)
class CorpusOverlap:
    """Which problems a training corpus contains, as ``parrotlet overlap`` found.

    Attributes:
        corpus_sha256: The corpus; None if the file does not record it.
        problems: The names of the problems that it contains.
        searched: Those of all that were searched for; None in a file of an earlier version.
    """

    corpus_sha256: str | None
    problems: frozenset[str]
    searched: frozenset[str] | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the file that ``parrotlet overlap`` writes.

        Raises:
            ConfigError: It is not such a file.
            PrerequisiteError: It does not exist.
        """
        text = read_text_file(path, "--overlap")
        try:
            found = parse_json(text)
            return cls(
                corpus_sha256=get_optional_field(found, "corpus_sha256", str),
                problems=frozenset(get_field(found, "problems", dict)),
                searched=frozenset(get_texts(found, "searched")) if "searched" in found else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path} is not an overlap file ({error}); make one with: parrotlet overlap"
            ) from error

    def require_problems(self, problem_set: ProblemSet) -> None:
        """Refuses problems that were not searched for: they would count as not in the corpus.

        Raises:
            ConfigError: The search was for other problems, or for these by other names.
        """
        names = [problem.task_id for problem in problem_set.problems]
        if self.searched is not None:
            missing = [name for name in names if name not in self.searched]
        else:
            missing = names if self.problems and self.problems.isdisjoint(names) else []
        if missing:
            raise ConfigError(
                f"--overlap: {len(missing)} of {len(names)} problems were not searched for in the"
                f" corpus, such as {shorten(missing[0])!r}; make the file again with: parrotlet"
                " overlap CORPUS PROBLEMS"
            )


def resolve_config(options: argparse.Namespace, problem_set: ProblemSet) -> PasskConfig:
    """Returns the settings that a command line asks for.

    Args:
        options: The command line; options that were not given are None.
        problem_set: Its CPU time limit applies where the command line gives none.

    Raises:
        ConfigError: There are fewer samples than a k, or than --n asks for.
    """
    if options.canonical and options.n not in {None, 1}:
        raise ConfigError(
            "--canonical judges one solution of each problem, so there is nothing to sample; leave"
            " out --n"
        )
    limits = Limits()
    cpu_s = options.cpu_s or problem_set.cpu_s or limits.cpu_s
    default_ks = (1,) if options.canonical or options.samples else PasskConfig().k
    config = PasskConfig(
        problems=options.problems,
        generation=Generation(
            n=1 if options.canonical else options.n or Generation().n,
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
    largest = max(config.k)
    if options.canonical and largest > 1:
        raise ConfigError(
            f"--canonical judges one solution of each problem, so there is no pass@{largest};"
            " leave out --k"
        )
    if not options.samples and largest > config.generation.n:
        raise ConfigError(
            f"pass@{largest} needs at least {largest} samples per problem, but --n is"
            f" {config.generation.n}; raise --n or lower --k"
        )
    return config
