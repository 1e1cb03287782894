"""The tokenizer report as a self-contained page, ``tokenizer-report.html``.

Rendered from the report alone. Called by ``training.train_tokenizer``.
"""

from collections.abc import Mapping

from training.foundation.charts import render_bars, render_details, render_page, render_table
from training.vocabulary.vocabulary_report import (
    RARE_USES,
    SplitNames,
    VocabularyFit,
    VocabularyReport,
)

_FIGURES = {
    "tokens in the vocabulary": ("vocab_size", ",d"),
    "characters per token": ("characters_per_token", ".3f"),
    "bytes per token": ("bytes_per_token", ".3f"),
    "tokens per word (fertility)": ("tokens_per_word", ".3f"),
    "words of more than one token": ("continued_word_share", ".1%"),
    "tokens in the held-out text": ("tokens", ",d"),
    "unknown tokens": ("unknown_tokens", ",d"),
    "words with an unknown token": ("unknown_word_share", ".1%"),
    "documents that decode exactly": ("restored_documents", ",d"),
}
_MAX_SPELLINGS = 6


def render_vocabulary_page(report: VocabularyReport) -> str:
    """Returns the page."""
    fit = report.fit
    fits = {"this vocabulary": fit, **{c.path: c.fit for c in report.compared}}
    sections = {
        "Fit on the held-out documents": _render_figures(fits),
        "Misspelt words": _render_misspelling(fits),
        "Unused, rare and missing tokens": _render_missing(fits),
        "Whitespace tokens": _render_white_space(fit),
        "First tokens": _render_tokens(fit.first),
        "Last tokens": _render_tokens(fit.last),
        "Longest tokens": _render_tokens(fit.longest),
    }
    return render_page(
        "Tokenizer",
        _summarize(report),
        footnote=f"Trained on the corpus with SHA-256 {report.corpus_sha256}",
        sections=sections,
    )


def _summarize(report: VocabularyReport) -> str:
    fit = report.fit
    lead = (
        f"{fit.vocab_size:,} tokens, {fit.bytes_per_token:.3f} bytes per token on"
        f" {fit.bytes / 1e6:,.1f} MB of held-out documents"
    )
    ratios = [
        f"{c.fit.tokens / max(1, fit.tokens):.2f} times fewer tokens than {c.path}"
        for c in report.compared
    ]
    return f"{'; '.join([lead, *ratios])}."


def _render_figures(fits: Mapping[str, VocabularyFit]) -> str:
    rows = [
        [label, *(format(getattr(fit, name), style) for fit in fits.values())]
        for label, (name, style) in _FIGURES.items()
    ]
    lengths = [(name, fit.bytes_per_token, "bytes per token") for name, fit in fits.items()]
    return render_table(("", *fits), rows) + render_bars(lengths)


def _render_misspelling(fits: Mapping[str, VocabularyFit]) -> str:
    found = [fit.misspelling for fit in fits.values()]
    rows = [
        ["different words", *(f"{m.words:,}" for m in found)],
        ["tokens per word", *(f"{m.tokens_per_word:.3f}" for m in found)],
        ["with two letters swapped", *(f"{m.tokens_per_misspelt_word:.3f}" for m in found)],
        ["unknown when misspelt", *(f"{m.unknown_share:.1%}" for m in found)],
    ]
    return render_table(("", *fits), rows)


def _render_missing(fits: Mapping[str, VocabularyFit]) -> str:
    unused = [f"{fit.unused.count:,}" for fit in fits.values()]
    rare = [f"{fit.rare.count:,}" for fit in fits.values()]
    rows = [
        ["tokens unused on the held-out text", *unused],
        [f"tokens used fewer than {RARE_USES} times", *rare],
    ]
    for kind in ("keywords", "builtins"):
        for place in ("without_space", "with_space"):
            label = f"{kind} of more than one token, {place.replace('_', ' ')}"
            found = [getattr(getattr(fit.not_one_token, kind), place) for fit in fits.values()]
            rows.append([label, *(str(len(names)) for names in found)])
    own = next(iter(fits.values()))
    lists = [
        render_details("examples of unused tokens", [repr(t) for t in own.unused.examples]),
        render_details("examples of rare tokens", [repr(t) for t in own.rare.examples]),
        render_details("missing keywords", _list_names(own.not_one_token.keywords)),
        render_details("missing builtins", _list_names(own.not_one_token.builtins)),
    ]
    return render_table(("", *fits), rows) + "".join(lists)


def _list_names(missing: SplitNames) -> list[str]:
    return [*missing.without_space, *(f"␣{name}" for name in missing.with_space)]


def _render_tokens(tokens: tuple[str, ...]) -> str:
    return render_details("as Python literals", [repr(token) for token in tokens])


def _render_white_space(fit: VocabularyFit) -> str:
    rows = [
        [
            f"{length} bytes",
            f"{len(spellings)}",
            " ".join(repr(s) for s in spellings[:_MAX_SPELLINGS]),
        ]
        for length, spellings in fit.white_space.items()
    ]
    return render_table(("length", "tokens", "examples"), rows)
