"""Which training document a suggestion repeats, as users see it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CodeReference:
    """A training document of which a text repeats at least ``n_tokens`` tokens verbatim."""

    package: str
    path: str
    licence: str
    n_tokens: int

    @property
    def sentence(self) -> str:
        """The message for the user."""
        return (
            f"Repeats at least {self.n_tokens} tokens of {self.path} in {self.package}"
            f" ({self.licence or 'licence unknown'})."
        )
