"""What the user's own text knows: it does not count as repeated training text.

Called by the back ends that have an artifact.
"""

from collections.abc import Sequence

from server.memory.token_memory import MemoryPart, TokenMemory
from server.workspace.sources.source_files import clean_source
from server.workspace.sources.token_index import EncodedFile, build_token_index
from training.artifact.code_reference import CodeReference
from training.artifact.tokenizer import CodeTokenizer
from training.artifact.verbatim import LEAST_TOKENS, VerbatimIndex
from training.foundation.foreign_text import replace_surrogates


def index_texts(texts: Sequence[str], tokenizer: CodeTokenizer) -> MemoryPart:
    """Indexes texts for a memory."""
    files = [
        EncodedFile.encode("", clean_source(text), tokenizer) for text in texts if text.strip()
    ]
    return build_token_index(files, tokenizer).without(())


def find_repeated(
    verbatim: VerbatimIndex | None,
    text: str,
    tokenizer: CodeTokenizer,
    document: Sequence[str],
    memory: TokenMemory | None,
) -> CodeReference | None:
    """Returns the training document that a text repeats, unless the user's own files have it.

    Args:
        verbatim: The index of training text; None finds nothing.
        text: The suggestion, with the beginning of its line.
        tokenizer: The model's.
        document: The text around the suggestion.
        memory: Of the workspace.
    """
    if verbatim is None or len(text) < LEAST_TOKENS:  # a token has a character or more
        return None
    ids = tokenizer.encode(replace_surrogates(text))
    if verbatim.find_reference(ids) is None:  # as nearly always
        return None
    own = (TokenMemory(()) if memory is None else memory).extend(index_texts(document, tokenizer))
    return verbatim.find_reference(ids, own.knows)
