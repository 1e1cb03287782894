"""A document of the training corpus, as users are told of it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Source:
    """A document of which a text repeats ``n_tokens`` tokens, word for word, at the least."""

    package: str
    path: str
    licence: str
    n_tokens: int

    @property
    def sentence(self) -> str:
        """What a user is told."""
        return (
            f"repeats {self.n_tokens} tokens or more of {self.package}, {self.path}"
            f" ({self.licence or 'licence not known'})"
        )
