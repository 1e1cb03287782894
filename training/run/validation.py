"""What a run measures of its model on the way: losses on held-out packages, and what it writes."""

from training.artifact.network.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.run.sample_completions import samples
from training.shards.blocks import BlockReader
from training.validate import count_token_bytes, spread_indices, validate


class Evaluation:
    """The same blocks and prompts each time, so that the figures of a run compare.

    Args:
        reader: Of the held-out packages.
        tokenizer: The run's.
        within_documents: Whether training keeps to one document at a time.
    """

    def __init__(
        self, reader: BlockReader, tokenizer: CodeTokenizer, *, within_documents: bool
    ) -> None:
        self._reader = reader
        self._tokenizer = tokenizer
        self._token_bytes = count_token_bytes(tokenizer)
        self._within_documents = within_documents

    def losses(self, model: GPT2, n_blocks: int) -> dict[str, float]:
        """Returns ``validation_*``: loss (nats a token), perplexity and bits a byte."""
        found = validate(
            model,
            self._reader,
            self._token_bytes,
            spread_indices(len(self._reader), n_blocks),
            within_documents=self._within_documents,
        )
        return {
            "validation_loss": found.loss,
            "validation_perplexity": found.perplexity,
            "validation_bits_per_byte": found.bits_per_byte,
        }

    def samples(self, model: GPT2) -> list[tuple[str, str]]:
        """Returns each prompt and the model's greedy completion."""
        has_quality = bool(self._reader.meta.get("has_quality"))
        return list(samples(model, self._tokenizer, has_quality=has_quality))
