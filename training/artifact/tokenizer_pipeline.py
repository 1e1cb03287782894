"""What a tokenizer of ours consists of, checked before text from a user reaches it.

A ``tokenizer.json`` describes a pipeline of patterns and replacements, some of which take endless
time or memory on a few characters, and its ids need not fit the network. An artifact's pipeline is
GPT-2's and nothing else: byte-level BPE, ids without gaps, and only special tokens beside it.
"""

import operator
from collections.abc import Mapping
from typing import Any

from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import parse_json

MAX_TOKENIZER_BYTES = 64 << 20  # of a tokenizer.json
_MAX_GAPS, _MAX_EXTRA_ID = 4, 1 << 16  # foreign vocabularies have a few gaps
_NO_PIPELINE = {"type": None}
_MODEL_OPTIONS = {  # with any other value, BPE splits otherwise than in training
    "dropout": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "byte_fallback": False,
    "ignore_merges": False,
}
_SPECIAL_OPTIONS = {"special": True, "single_word": False, "lstrip": False, "rstrip": False}


def read_pipeline(data: bytes) -> dict[str, Any]:
    """Parses a ``tokenizer.json`` before the library does, which needs memory for the largest id.

    Raises:
        ForeignDataError: It is not a tokenizer, or its ids are much larger than their number.
    """
    pipeline = parse_json(data, unique_keys=True)
    try:
        ids = list_ids(pipeline)
    except (KeyError, TypeError, AttributeError) as error:
        raise ForeignDataError("it describes no tokenizer") from error
    if ids and (min(ids) < 0 or max(ids) > _MAX_GAPS * len(ids) + _MAX_EXTRA_ID):
        raise ForeignDataError(f"it has {len(ids)} tokens, but ids from {min(ids)} to {max(ids)}")
    found: dict[str, Any] = pipeline
    return found


def list_ids(pipeline: Mapping[str, Any]) -> set[int]:
    """Returns the ids of all tokens; of a model that numbers by place, those places."""
    vocabulary = pipeline["model"]["vocab"]
    ids = set(vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary)))
    ids |= {token["id"] for token in pipeline.get("added_tokens") or ()}
    return {operator.index(token_id) for token_id in ids}


def find_pipeline_fault(pipeline: Mapping[str, Any]) -> str | None:
    """Returns a clause on how a tokenizer differs from ours, or None.

    Args:
        pipeline: The content of a ``tokenizer.json`` that the library could load.
    """
    model, normalizer = pipeline["model"], pipeline.get("normalizer")
    before = pipeline.get("pre_tokenizer") or _NO_PIPELINE
    if model.get("type", "BPE") != "BPE":
        return f"its model is {model['type']}, not BPE"
    if normalizer is not None:
        return f"it changes text first, by {normalizer.get('type')}"
    if before.get("type") != "ByteLevel" or not before.get("use_regex", True):
        return f"it splits text by {before.get('type')}, not by GPT-2's pattern"
    if before.get("add_prefix_space"):
        return "it adds a space before text"
    for option, expected in _MODEL_OPTIONS.items():
        if (model.get(option) or expected) != expected:
            return f"it has the option {option}"
    for token in pipeline.get("added_tokens") or ():
        for option, expected in _SPECIAL_OPTIONS.items():
            if token.get(option) != expected:
                return f"it adds the token {token['content']!r:.40}, which is not special"
    ids = list_ids(pipeline)
    if ids != set(range(len(ids))):
        return f"it has {len(ids)} tokens, but the largest id is {max(ids)}"
    return None
