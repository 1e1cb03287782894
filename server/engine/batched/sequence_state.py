"""What a sequence needs to continue, whether it is generated alone or with others."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.engine.generation_request import (
    FinishReason,
    GeneratedSequence,
    GenerationRequest,
    Prompt,
)
from server.memory.token_memory import MAX_CONTEXT_TOKENS


@dataclass(kw_only=True)
class SequenceState:
    """A sequence and what only the decoder needs to continue it.

    Attributes:
        sequence: What is returned.
        context: The ids before the next one that a memory looks up.
        required_bytes: What the next tokens have to repeat.
        left_tokens: How many may still come.
        generator: The sequence's own random numbers.
    """

    sequence: GeneratedSequence
    context: list[int]
    required_bytes: bytes
    left_tokens: int
    generator: random.Random

    def append(self, token_id: int, log_prob: float, token: bytes) -> None:
        """Adds a token; ``token`` are its bytes, none if it is a special one."""
        sequence, required = self.sequence, self.required_bytes
        sequence.log_probs.append(log_prob)
        sequence.ids.append(token_id)
        self.context.append(token_id)
        sequence.text += token[len(required) :]
        sequence.ends.append(len(sequence.text))
        self.required_bytes = required[len(token) :]
        if not token:  # end of text, or another special token: no text can follow
            sequence.finish_reason = FinishReason.END_OF_TEXT
        if sequence.text or not required:
            self.left_tokens -= 1


def begin_sequences(
    prompt: Prompt, request: GenerationRequest, numbers: Sequence[int]
) -> list[SequenceState]:
    """Returns the states of new sequences, given by their numbers within the request."""
    context = prompt.ids[-MAX_CONTEXT_TOKENS:]
    return [
        SequenceState(
            sequence=GeneratedSequence(),
            context=[*context],
            required_bytes=prompt.required_bytes,
            left_tokens=request.max_new_tokens,
            generator=request.sampling.generator(request.first_sequence + number),
        )
        for number in numbers
    ]


def finish_sequences(
    request: GenerationRequest, states: Sequence[SequenceState], *, is_full: bool
) -> None:
    """Ends the sequences that a predicate, the stop flag or a limit ends."""
    is_cancelled = request.should_stop is not None and request.should_stop()
    for state in _running(states):
        sequence = state.sequence
        if request.is_complete is not None and sequence.text and request.is_complete(sequence.text):
            sequence.finish_reason = FinishReason.COMPLETE
        elif request.is_hopeless is not None and request.is_hopeless(sequence):
            sequence.finish_reason = FinishReason.LOW_CONFIDENCE
        elif is_cancelled:
            sequence.finish_reason = FinishReason.CANCELLED
        elif is_full or state.left_tokens < 1:
            sequence.finish_reason = FinishReason.MAX_TOKENS


def _running(states: Sequence[SequenceState]) -> Iterator[SequenceState]:
    return (state for state in states if state.sequence.finish_reason is None)
