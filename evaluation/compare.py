"""Models side by side: ``python -m evaluation.compare MODEL... [--prompts FILE] [--out DIR]``.

Shows how several models complete the same prompts, their sizes, and how their completions differ:
the share of each construct, repeated phrases. A first look at a model, before any score. Models are
artifacts, or the folder or Hub name of any causal language model.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from evaluation.command_line import add_out_argument
from evaluation.comparison.constructs import common_phrases, construct_shares, repetition
from evaluation.generators.registry import model_writer
from evaluation.passk.config import Generation
from evaluation.problems.own import own_problems
from evaluation.problems.problem import Problem
from evaluation.runs.estimators import percent
from evaluation.runs.input_files import read_input
from training.foundation.atomic_files import write_json_atomically, write_text_atomically
from training.foundation.charts import render_bars, render_details, render_page, render_table
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, run_main
from training.foundation.folder_lock import folder_lock

N_PHRASES = 10
MAX_TOLD_CHARS = 400
_PURPOSE = """\
Complete the same prompts with several models and show them side by side, with their
sizes, the constructs they use and the phrases they repeat.

Prints the completions and writes comparison.json and comparison.html."""
_EXAMPLE = """\
{prog} server/model runs/debug/model
{prog} server/model bigcode/tiny_starcoder_py --prompts prompts.txt"""
SEPARATOR = "\n---\n"  # between prompts in a file


@dataclass(frozen=True, kw_only=True)
class Written:
    """How one model completed each prompt."""

    identity: Mapping[str, str]
    prompts: tuple[str, ...]
    completions: tuple[str, ...]

    @property
    def figures(self) -> dict[str, object]:
        """Its completions in numbers."""
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
    with folder_lock(options.out):
        written = [_written(model, prompts, generation) for model in options.models]
        _write(options.out, prompts, written)
    sys.stdout.write(_format(written))
    return 0


def _write(out: Path, prompts: Sequence[str], written: Sequence[Written]) -> None:
    write_json_atomically(
        out / "comparison.json",
        {
            "models": [w.figures for w in written],
            "completions": [
                {"prompt": prompt, "completions": [w.completions[i] for w in written]}
                for i, prompt in enumerate(prompts)
            ],
        },
    )
    write_text_atomically(out / "comparison.html", _page(written))


def _written(model: str, prompts: Sequence[str], generation: Generation) -> Written:
    writer = model_writer(model)
    problems = [
        Problem(task_id=f"prompt/{number}", prompt=prompt, entry_point="", test="")
        for number, prompt in enumerate(prompts)
    ]
    bar = tqdm(problems, desc=model, unit="prompt", file=sys.stderr)
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
        raise ConfigError(f"{path} contains no prompts; write prompts separated by lines of ---")
    return prompts


def _format(written: Sequence[Written]) -> str:
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
    """Returns a table with a column for each model; constructs that none has are left out."""
    figures = [construct_shares(zip(w.prompts, w.completions, strict=True)) for w in written]
    rows = [["model", *(w.identity["model"][-16:] for w in written)]]
    rows.append(["parameters", *map(_size, written)])
    rows.append(["repetition", *(percent(repetition(w.completions)) for w in written)])
    rows += [
        [name, *(percent(shares[name], 0) for shares in figures)]
        for name in figures[0]
        if any(shares[name] for shares in figures)
    ]
    return rows


def _page(written: Sequence[Written]) -> str:
    head, *rows = _rows(written)
    sections = {"Overview": render_table(head, rows)}
    for model in written:
        phrases = common_phrases(model.completions, N_PHRASES)
        sections[f"Frequent phrases of {model.identity['model']}"] = render_bars(
            [(phrase, n, f"{n} completions") for phrase, n in phrases]
        )
    sections["Completions"] = "".join(
        render_details(
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
    return render_page("Models compared", names, footnote="", sections=sections)


def _size(model: Written) -> str:
    n = int(model.identity.get("parameters", "0"))
    return f"{n / 1e6:.1f}M" if n else "size unknown"


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.compare", _PURPOSE, example=_EXAMPLE)
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="an artifact folder, or the folder or Hub name of any causal language model",
    )
    parser.add_argument(
        "--prompts",
        type=Path,
        metavar="FILE",
        help="prompts separated by lines of --- (default: the prompts of the problem set own)",
    )
    add_out_argument(parser, Path("runs/compare"), "the folder to write")
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.0,
        help="sampling temperature; 0 is greedy (default: %(default)s)",
    )
    parser.add_argument(
        "--max-new-tokens",
        type=int,
        default=96,
        help="maximum length of a completion, in tokens (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
