"""Models side by side: ``python -m evaluation.compare MODEL... [--prompts FILE] [--out DIR]``.

Shows what several models write behind the same prompts, their sizes, and how they differ: the share
of each construct, phrases they repeat. A look at a model's skew that comes before any score. Models
are artifacts, or any causal language model's folder or Hub name.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from evaluation.config import Generation
from evaluation.constructs import common_phrases, construct_shares, repetition
from evaluation.inputs import read_input
from evaluation.problems.own import own_problems
from evaluation.problems.problem import Problem
from evaluation.writers.choice import model_writer
from training.artifact.errors import ConfigError, run_main
from training.artifact.files import write_json_atomically, write_text_atomically
from training.charts import bars, folded, page, table

N_PHRASES = 10
MAX_TOLD_CHARS = 400
SEPARATOR = "\n---\n"  # between prompts in a file


@dataclass(frozen=True, kw_only=True)
class Written:
    """What one model wrote behind each prompt."""

    identity: Mapping[str, str]
    prompts: tuple[str, ...]
    completions: tuple[str, ...]

    @property
    def figures(self) -> dict[str, object]:
        """Its skew in numbers."""
        pairs = list(zip(self.prompts, self.completions, strict=True))
        lengths = [len(text) for text in self.completions]
        return {
            **self.identity,
            "mean_chars": sum(lengths) / len(lengths),
            "empty": sum(not text.strip() for text in self.completions) / len(lengths),
            "repetition": repetition(self.completions),
            "constructs": construct_shares(pairs),
            "common_phrases": common_phrases(self.completions, N_PHRASES),
        }


def main(argv: Sequence[str]) -> int:
    """Writes and prints the comparison."""
    options = _parser().parse_args(argv)
    prompts = _prompts(options.prompts)
    generation = Generation(
        n=1, temperature=options.temperature, max_new_tokens=options.max_new_tokens
    )
    written = [_written(model, prompts, generation) for model in options.models]
    write_json_atomically(
        options.out / "comparison.json",
        {
            "models": [w.figures for w in written],
            "completions": [
                {"prompt": prompt, "completions": [w.completions[i] for w in written]}
                for i, prompt in enumerate(prompts)
            ],
        },
    )
    write_text_atomically(options.out / "comparison.html", _page(written))
    sys.stdout.write(_told(written))
    return 0


def _written(model: str, prompts: Sequence[str], generation: Generation) -> Written:
    writer = model_writer(model)
    problems = [
        Problem(task_id=f"prompt/{number}", prompt=prompt, entry_point="", test="")
        for number, prompt in enumerate(prompts)
    ]
    bar = tqdm(problems, desc=model, file=sys.stderr)
    return Written(
        identity=writer.identity,
        prompts=tuple(prompts),
        completions=tuple(writer.write(problem, generation, first=0)[0] for problem in bar),
    )


def _prompts(path: Path | None) -> list[str]:
    if path is None:
        return [problem.prompt for problem in own_problems()]
    text = read_input(path, "--prompts")
    prompts = [prompt for prompt in text.split(SEPARATOR) if prompt.strip()]
    if not prompts:
        raise ConfigError(f"{path} holds no prompts; put a line of --- between each two")
    return prompts


def _told(written: Sequence[Written]) -> str:
    parts = []
    for i, prompt in enumerate(written[0].prompts):
        parts.append(f"{'=' * 78}\n{prompt}\n")
        for model in written:
            name, size = model.identity["model"], _size(model)
            parts.append(f"--- {name} ({size})\n{model.completions[i][:MAX_TOLD_CHARS]}\n")
    parts.append("=" * 78 + "\n")
    parts += ["  ".join(f"{cell:>16}" for cell in row) + "\n" for row in _rows(written)]
    return "".join(parts)


def _rows(written: Sequence[Written]) -> list[list[str]]:
    """Returns the figures as a table, a model a column; constructs that none has are left out."""
    figures = [construct_shares(zip(w.prompts, w.completions, strict=True)) for w in written]
    rows = [["model", *(w.identity["model"][-16:] for w in written)]]
    rows.append(["parameters", *map(_size, written)])
    rows.append(["repetition", *(f"{100 * repetition(w.completions):.1f} %" for w in written)])
    rows += [
        [name, *(f"{100 * shares[name]:.0f} %" for shares in figures)]
        for name in figures[0]
        if any(shares[name] for shares in figures)
    ]
    return rows


def _page(written: Sequence[Written]) -> str:
    head, *rows = _rows(written)
    sections = {"Figures": table(head, rows)}
    for model in written:
        phrases = common_phrases(model.completions, N_PHRASES)
        sections[f"Phrases of {model.identity['model']}"] = bars(
            [(phrase, n, f"{n} completions") for phrase, n in phrases]
        )
    sections["Completions"] = "".join(
        folded(
            prompt.strip().split("\n")[0],
            [
                *prompt.split("\n"),
                *(
                    line
                    for w in written
                    for line in (f"--- {w.identity['model']}", *w.completions[i].split("\n"))
                ),
            ],
        )
        for i, prompt in enumerate(written[0].prompts)
    )
    names = ", ".join(w.identity["model"] for w in written)
    return page("Models side by side", names, footnote="", sections=sections)


def _size(model: Written) -> str:
    n = int(model.identity.get("parameters", "0"))
    return f"{n / 1e6:.1f}M" if n else "size unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation.compare", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument(
        "--prompts", type=Path, help="a file of prompts, a line of --- between each two"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/compare"), help="the folder to write"
    )
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--max-new-tokens", type=int, default=96)
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
