"""Samples from the completer that users get, problem by problem, resumable."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from evaluation.config import Generation
from evaluation.journal import Journal, read_journal
from evaluation.problems import Problem
from server.completer import Completer


def problem_seed(seed: int, task_id: str) -> int:
    """Returns a problem's own seed, the same whatever was generated before it."""
    digest = hashlib.sha256(f"{seed}:{task_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


def generate_samples(
    completer: Completer, problems: Iterable[Problem], generation: Generation, path: Path
) -> None:
    """Appends ``{task_id, sample, completion}`` records for every sample not yet in ``path``."""
    done: dict[str, set[int]] = {}
    for record in read_journal(path):
        done.setdefault(record["task_id"], set()).add(record["sample"])
    problems = list(problems)
    with Journal(path) as journal, tqdm(problems, desc="generating", file=sys.stderr) as bar:
        for problem in bar:
            have = done.get(problem.task_id, set())
            if len(have) >= generation.n:
                continue
            completions = completer.generate(
                problem.prompt,
                n=generation.n,
                max_new_tokens=generation.max_new_tokens,
                temperature=generation.temperature,
                top_p=generation.top_p,
                seed=problem_seed(generation.seed, problem.task_id),
                stop=generation.stop,
            )
            for number, completion in enumerate(completions):
                if number not in have:
                    journal.append(
                        {"task_id": problem.task_id, "sample": number, "completion": completion}
                    )
