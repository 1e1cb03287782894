"""A document of the training corpus, as users are told of it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CodeReference:
    """A document of which a text repeats at least ``n_tokens`` tokens, word for word."""

    package: str
    path: str
    licence: str
    n_tokens: int

    @property
    def sentence(self) -> str:
        """What a user is told."""
        return (
            f"Repeats at least {self.n_tokens} tokens of {self.path} in {self.package}"
            f" ({self.licence or 'licence unknown'})."
        )
