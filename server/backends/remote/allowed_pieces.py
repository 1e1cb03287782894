"""Token healing with a server that generates freely: which token comes instead of its own.

The local engine constrains each step to tokens that repeat what was removed. Here the server's
alternatives of a token are searched, which is the same if one of them fits. Otherwise the server is
asked for one token with a bias for those that fit.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from server.backends.remote.pieces import Piece, list_choices, read_pieces

_BIAS = 100.0  # more than logits ever differ by
_LEAST_REST = 1e-6  # of probability; less is rounding
_MAX_BIASED = 4096  # tokens in a request


def is_allowed(text: bytes, required: bytes) -> bool:
    """Whether a piece repeats the required text, or begins with all of it."""
    if not required:
        return True
    return bool(text) and (text.startswith(required) or required.startswith(text))


def choose_allowed(piece: Piece, required: bytes) -> Piece | None:
    """Returns the likeliest of a piece's alternatives that is allowed, None if none is."""
    allowed = [text for text in piece.likeliest if is_allowed(text, required)]
    if not allowed:
        return None
    best = max(allowed, key=lambda text: piece.likeliest[text])
    return weigh_among_allowed(replace(piece, text=best), required)


def weigh_among_allowed(piece: Piece, required: bytes) -> Piece:
    """Returns a piece with its log-probability among those allowed, as far as the server tells."""
    log_prob = piece.likeliest.get(piece.text)
    if log_prob is None:
        return piece
    allowed = (value for text, value in piece.likeliest.items() if is_allowed(text, required))
    return replace(piece, log_prob=log_prob - math.log(sum(map(math.exp, allowed))))


def read_forced(answer: Mapping[str, Any], required: bytes, left: Piece) -> Piece | None:
    """Returns the only token of an answer, None if it is not allowed.

    Its log-probability is a lower bound: all that is left by the alternatives of the token that was
    not allowed may be allowed.

    Args:
        answer: The server's.
        required: What the token has to repeat.
        left: The token that was not allowed.
    """
    for _, choice in list_choices(answer):
        for piece in read_pieces(choice):
            if is_allowed(piece.text, required):
                rest = max(_LEAST_REST, 1 - sum(map(math.exp, left.likeliest.values())))
                log_prob = min(0.0, (piece.log_prob or 0.0) - math.log(rest))
                return Piece(text=piece.text, log_prob=log_prob)
    return None


def bias_logits(allowed: Sequence[int]) -> dict[str, Any]:
    """Returns the field by which OpenAI, vLLM and llama.cpp prefer tokens."""
    return {"logit_bias": {str(token_id): _BIAS for token_id in allowed[:_MAX_BIASED]}}


def bias_sequences(allowed: Sequence[int]) -> dict[str, Any]:
    """Returns the field by which ``transformers serve`` prefers tokens."""
    biases = [[[token_id], _BIAS] for token_id in allowed[:_MAX_BIASED]]
    config = {"max_new_tokens": 1, "do_sample": False, "sequence_bias": biases}
    return {"generation_config": json.dumps(config)}


FORCES = (bias_logits, bias_sequences)
