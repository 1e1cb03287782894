"""An inspection as text for the terminal, and figures of several tokenizers side by side.

Pieces of text appear as Python literals, so that white space shows and nothing controls the
terminal.
"""

from collections.abc import Iterator, Sequence

from training.foundation.foreign_text import replace_surrogates
from training.vocabulary.inspection import Inspection
from training.vocabulary.vocabulary_report import SplitNames, VocabularyFit

_ALPHABET_COLUMNS = 4
_MAX_NAMES = 24  # of a list in one line


def format_inspection(found: Inspection, text: str, *, most: int) -> str:
    """Returns what the terminal shows of one tokenizer.

    Args:
        found: The inspection.
        text: The text that was inspected.
        most: How many pre-tokens, and how many tokens, are listed.
    """
    title = (
        f"{found.name}: {found.kind}, {found.vocab_size:,} tokens, {found.special_tokens} special"
    )
    lines = [title, "=" * len(title), "", *_format_stages(found, text, most)]
    lines += ["", f"tokens: {len(found.tokens):,} (token, id, characters, text)"]
    lines += [
        f"  {token.spelling!r:<24} {token.token_id:>7}  {token.start}-{token.end}"
        f"  {'unknown: ' if token.is_unknown else ''}{text[token.start : token.end]!r}"
        for token in found.tokens[:most]
    ]
    lines += _format_rest(len(found.tokens) - most)
    added = len(found.final_ids) - len(found.tokens)
    lines += ["", f"post-processing: {found.post_processor or 'none'}, {max(0, added)} ids added"]
    same = found.decoded == text
    decoded = "the same text" if same else repr(found.decoded[:200])
    lines += ["", f"decoded: {decoded}"]
    if found.alphabet:
        lines += ["", "byte alphabet (byte, its character in the vocabulary)", *_tabulate(found)]
    return replace_surrogates("\n".join(lines)) + "\n"


def _format_stages(found: Inspection, text: str, most: int) -> Iterator[str]:
    yield f"normaliser: {found.normalizer or 'none'}"
    if found.normalized != text:
        yield f"  {found.normalized[:400]!r}"
    yield ""
    n_pieces = len(found.pre_tokens)
    yield f"pre-tokens: {n_pieces:,} by {found.splitter or 'nothing'} (piece, characters)"
    for piece in found.pre_tokens[:most]:
        yield f"  {piece.text!r:<24} {piece.start}-{piece.end}"
    yield from _format_rest(n_pieces - most)


def _format_rest(n_more: int) -> list[str]:
    return [f"  … {n_more:,} more"] if n_more > 0 else []


def _tabulate(found: Inspection) -> list[str]:
    cells = [f"{b.byte:#04x} {b.name:<15} {b.character}" for b in found.alphabet]
    n_rows = -(-len(cells) // _ALPHABET_COLUMNS)
    return [
        "  " + "  ".join(f"{cell:<22}" for cell in cells[row::n_rows]).rstrip()
        for row in range(n_rows)
    ]


def format_figures(inspections: Sequence[Inspection]) -> str:
    """Returns the figures of several tokenizers on the same text, a column each."""
    fits = [found.fit for found in inspections]
    slips = [fit.misspelling for fit in fits]
    rows = [
        ["", *(found.name[-20:] for found in inspections)],
        ["tokens", *(f"{fit.tokens:,}" for fit in fits)],
        ["characters per token", *(f"{fit.characters_per_token:.2f}" for fit in fits)],
        ["tokens per word (fertility)", *(f"{fit.tokens_per_word:.2f}" for fit in fits)],
        ["words of several tokens", *(f"{fit.continued_word_share:.1%}" for fit in fits)],
        ["unknown tokens", *(f"{fit.unknown_tokens:,}" for fit in fits)],
        ["words with an unknown token", *(f"{fit.unknown_word_share:.1%}" for fit in fits)],
        ["tokens per word of letters", *(f"{s.tokens_per_word:.2f}" for s in slips)],
        ["with two letters swapped", *(f"{s.tokens_per_misspelt_word:.2f}" for s in slips)],
        ["decodes exactly", *("yes" if fit.restored_documents else "no" for fit in fits)],
    ]
    return "".join(
        f"{row[0]:<28}" + "".join(f"{cell:>22}" for cell in row[1:]) + "\n" for row in rows
    )


def format_vocabulary(name: str, fit: VocabularyFit) -> str:
    """Returns what is in a vocabulary: first, last and longest tokens, and what is missing."""
    missing = fit.not_one_token
    lines = [
        f"vocabulary of {name}",
        f"  first learned: {_list(fit.first)}",
        f"  last learned: {_list(fit.last)}",
        f"  longest: {_list(fit.longest)}",
        f"  keywords of several tokens: {_list_names(missing.keywords)}",
        f"  builtins of several tokens: {_list_names(missing.builtins)}",
    ]
    return replace_surrogates("\n".join(lines)) + "\n"


def _list_names(missing: SplitNames) -> str:
    return _list(missing.with_space) if missing.with_space else "none"


def _list(texts: Sequence[str]) -> str:
    more = f" … {len(texts) - _MAX_NAMES} more" if len(texts) > _MAX_NAMES else ""
    return " ".join(repr(text) for text in texts[:_MAX_NAMES]) + more
