"""The page that shows models side by side."""

from collections.abc import Sequence

from evaluation.comparison.model_comparison import (
    ModelCompletions,
    head_samples,
    overview_rows,
)
from training.foundation.charts import render_bars, render_details, render_page, render_table


def draw_page(models: Sequence[ModelCompletions]) -> str:
    """Returns the page."""
    head, *rows = overview_rows(models)
    sections = {"Overview": render_table(head, rows)}
    for model in models:
        sections[f"Frequent phrases of {model.name}"] = render_bars(
            [(phrase, n, f"{n} completions") for phrase, n in model.phrases]
        )
    sections["Completions"] = "".join(
        render_details(prompt.strip().split("\n")[0], _side_by_side(models, i))
        for i, prompt in enumerate(models[0].prompts)
    )
    names = ", ".join(model.name for model in models)
    return render_page("Models compared", names, footnote="", sections=sections)


def _side_by_side(models: Sequence[ModelCompletions], index: int) -> list[str]:
    lines = models[0].prompts[index].split("\n")
    for model in models:
        for head, text in head_samples(model, index):
            lines += [head, *text.split("\n")]
    return lines
