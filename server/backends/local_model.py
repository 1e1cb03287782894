"""The artifact's model on this machine: window to prompt, prompt to the engine."""

from server.backends.backend import Order
from server.engine.decoder import Decoder
from server.engine.generation_request import Decoding, Task
from server.engine.network import Network
from server.engine.precision import chosen_precision, use_threads
from server.prompt.layout import PromptBuilder
from server.settings import EngineSettings
from server.suggestion.confidence import Calibration
from training.artifact.code_reference import CodeReference
from training.artifact.directory import Artifact
from training.artifact.verbatim import LEAST_TOKENS
from training.foundation.errors import ArtifactError

_MIN_WINDOW_TOKENS = 12  # a model with less room than this could not see a line


class LocalWriter:
    """Writes with one artifact; keeps what it has computed of the last documents."""

    def __init__(self, artifact: Artifact, settings: EngineSettings) -> None:
        threads = use_threads(settings.threads)
        precision = chosen_precision(settings.precision)
        self._decoder = Decoder(
            Network(artifact.config, artifact.weights, precision),
            artifact.tokenizer.byte_table,
            chunk_tokens=settings.chunk_tokens,
            cache_bytes=settings.cache_mib << 20,
            max_guesses=settings.max_guesses,
        )
        self._prompts = PromptBuilder(artifact, heal_tokens=settings.heal_tokens)
        self._heal_tokens = settings.heal_tokens
        self._context_tokens = min(artifact.context_tokens, artifact.config.n_positions)
        self._calibration = Calibration.of(artifact.manifest.evaluation)
        self._verbatim = artifact.verbatim
        self._about: dict[str, object] = {
            "parameters": sum(weight.numel() for weight in artifact.weights.values()),
            "tokens_seen": artifact.manifest.training.tokens_seen,
            "context_tokens": self._context_tokens,
            "precision": precision,
            "threads": threads,
            "knows_its_sources": self._verbatim is not None,
        }

    @property
    def context_tokens(self) -> int:
        """How many tokens the model sees."""
        return self._context_tokens

    @property
    def calibration(self) -> Calibration | None:
        """What the artifact tells of itself."""
        return self._calibration

    def about(self) -> dict[str, object]:
        """Returns what runs here, and how."""
        return {**self._about, "documents_cached": self._decoder.n_cached}

    def count(self, text: str) -> int:
        """Returns how many tokens a line has."""
        return self._prompts.count(text)

    def room(self, max_new_tokens: int) -> int:
        """Returns the most tokens of a window that leaves room for ``max_new_tokens``.

        Raises:
            ArtifactError: There is next to none.
        """
        room = self._context_tokens - max_new_tokens - self._heal_tokens
        room -= self._prompts.overhead_tokens
        if room < _MIN_WINDOW_TOKENS:
            raise ArtifactError(
                f"the model's context of {self._context_tokens} tokens leaves no room for"
                f" {max_new_tokens} new tokens; request fewer or use a model with a longer context"
            )
        return room

    def source_of(self, head: str, text: str) -> CodeReference | None:
        """Returns whose text is repeated by ``text`` behind ``head``, the cursor's line so far."""
        if self._verbatim is None or len(text) < LEAST_TOKENS:  # a character a token at the least
            return None
        return self._verbatim.source_of(self._prompts.encode(head + text))

    def write(self, order: Order) -> Decoding:
        """Writes behind a window's prefix."""
        room = self.room(order.max_new_tokens) + self._prompts.overhead_tokens
        prompt = self._prompts.build(order.window, max_tokens=room)
        task = Task(
            prompt=prompt.ids,
            owed=prompt.owed,
            max_new_tokens=order.max_new_tokens,
            n_sequences=order.n_sequences,
            first_sequence=order.first_sequence,
            sampling=order.sampling,
            is_finished=order.is_finished,
            is_hopeless=order.is_hopeless,
            should_stop=order.should_stop,
            similar=[self._prompts.encode(text) for text in order.similar if text],
        )
        return self._decoder.run(task)
