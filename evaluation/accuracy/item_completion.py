"""Asks the completer for an item's text: as a user would see it, or as a plain infilling."""

from evaluation.accuracy.items import Item
from evaluation.accuracy.metrics import CompletedItem
from server.completer import Completer
from server.suggestion.request import CompletionRequest

MAX_INFILL_TOKENS = 192


def complete_as_shown(completer: Completer, item: Item) -> CompletedItem:
    """Asks for a completion at an item's position, with all of the server's rules.

    Completions count whatever their confidence. Of a completion that goes on after the line, only
    the line is compared, unless the item is a block.
    """
    text, offset = item.prefix + item.suffix, len(item.prefix)
    request = CompletionRequest(text=text, offset=offset, is_asked_for=True)
    result = completer.complete(request)
    shown = result.suggestion
    text = shown.text.removesuffix(item.suffix[: shown.covered])  # what it would write again
    if item.kind != "block":
        text = text.split("\n")[0]
    return CompletedItem(
        item=item,
        text=text,
        confidence=shown.confidence if text else None,
        log_prob=shown.log_prob if text else None,
        reason=result.reason,
    )


def infill_gap(completer: Completer, item: Item) -> CompletedItem:
    """Lets the model fill an item's gap greedily, until it stops by itself."""
    (text,) = completer.generate(
        item.prefix,
        item.suffix,
        n=1,
        max_new_tokens=MAX_INFILL_TOKENS,
        temperature=0.0,
        top_p=1.0,
        seed=0,
    )
    return CompletedItem(item=item, text=text)
