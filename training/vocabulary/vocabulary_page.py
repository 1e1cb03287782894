"""The report of a vocabulary as a page to look at: ``tokenizer-report.html``, self-contained.

Drawn from the numbers of ``tokenizer-report.json`` alone. Called by ``training.train_tokenizer``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from training.foundation.charts import render_bars, render_details, render_page, render_table

_FIGURES = {
    "tokens in the vocabulary": ("vocab_size", ",d"),
    "characters per token": ("characters_per_token", ".3f"),
    "bytes per token": ("bytes_per_token", ".3f"),
    "tokens per word (fertility)": ("tokens_per_word", ".3f"),
    "words of more than one token": ("continued_word_share", ".1%"),
    "tokens in the held-out text": ("tokens", ",d"),
}
Fit = Mapping[str, Any]


def html_page(report: Mapping[str, Any]) -> str:
    """Returns the whole page."""
    fits: dict[str, Fit] = {"this vocabulary": report["fit"]}
    if "compared" in report:
        fits[report["compared"]["with"]] = report["compared"]["fit"]
    own = report["fit"]
    sections = {
        "Fit on the held-out documents": _figures(fits),
        "Unused and missing tokens": _missing(fits),
        "Whitespace tokens": _white_space(own["white_space"]),
        **{
            f"{which.capitalize()} tokens": render_details(
                "as Python literals", [repr(t) for t in own[which]]
            )
            for which in ("first", "last", "longest")
        },
    }
    return render_page(
        "Tokenizer",
        _summary(report),
        footnote=f"Trained on the corpus with SHA-256 {report['corpus_sha256']}",
        sections=sections,
    )


def _summary(report: Mapping[str, Any]) -> str:
    fit = report["fit"]
    lead = (
        f"{fit['vocab_size']:,} tokens, {fit['bytes_per_token']:.3f} bytes per token on"
        f" {fit['bytes'] / 1e6:,.1f} MB of held-out documents"
    )
    if "compared" not in report:
        return f"{lead}."
    other = report["compared"]["fit"]["tokens"]
    return (
        f"{lead}; {other / fit['tokens']:.2f} times fewer tokens than {report['compared']['with']}."
    )


def _figures(fits: Mapping[str, Fit]) -> str:
    rows = [
        [label, *(format(fit[key], style) for fit in fits.values())]
        for label, (key, style) in _FIGURES.items()
    ]
    lengths = [(name, fit["bytes_per_token"], "bytes per token") for name, fit in fits.items()]
    return render_table(("", *fits), rows) + render_bars(lengths)


def _missing(fits: Mapping[str, Fit]) -> str:
    rows = [
        [
            "tokens unused on the held-out text",
            *(f"{f['unused']['count']:,}" for f in fits.values()),
        ]
    ]
    for kind in ("keywords", "builtins"):
        for place in ("without_space", "with_space"):
            label = f"{kind} of more than one token, {place.replace('_', ' ')}"
            found = [f["not_one_token"][kind][place] for f in fits.values()]
            rows.append([label, *(str(len(names)) for names in found)])
    own = next(iter(fits.values()))
    lists = [
        render_details("examples of unused tokens", [repr(t) for t in own["unused"]["examples"]]),
        render_details("missing keywords", _names(own, "keywords")),
        render_details("missing builtins", _names(own, "builtins")),
    ]
    return render_table(("", *fits), rows) + "".join(lists)


def _names(fit: Fit, kind: str) -> Sequence[str]:
    missing = fit["not_one_token"][kind]
    return [*missing["without_space"], *(f"␣{name}" for name in missing["with_space"])]


def _white_space(tokens: Mapping[str, Sequence[str]]) -> str:
    rows = [
        [f"{length} bytes", f"{len(spellings)}", " ".join(repr(s) for s in spellings[:6])]
        for length, spellings in tokens.items()
    ]
    return render_table(("length", "tokens", "examples"), rows)
