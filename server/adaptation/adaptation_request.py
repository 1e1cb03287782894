"""What is asked of an adaptation: written for its process, and kept so that it can go on later."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from server.settings import AdaptationSettings, Settings
from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import RangedConfig, from_mapping, number_field, to_mapping
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import as_object, read_json
from training.foundation.privacy.path_globs import find_glob_fault

REQUEST_FILE = "request.json"


@dataclass(frozen=True, kw_only=True)
class AdaptationRequest(RangedConfig):
    """An adaptation as it was asked for.

    Attributes:
        folder: The workspace.
        minutes: How long it may work, pauses not counted.
        model: The model to start from, as in :class:`server.settings.Settings`.
        private_globs: The user's private files.
        heldout_share: Of the text, what is kept to measure on.
        is_wanted_again: Whether to adapt again even if little has changed.
        pauses_on_battery: Whether it waits for external power.
        pauses_while_typing: Whether it waits while the user types.
        yields: Whether it takes only what the processor has left over.
        tokens_per_s: The speed to plan by; 0 to measure it first.
    """

    folder: Path
    minutes: float = number_field(AdaptationSettings().minutes, least=0.05, most=1440)
    model: str = ""
    private_globs: tuple[str, ...] = ()
    heldout_share: float = number_field(0.15, least=0.01, most=0.5)
    is_wanted_again: bool = False
    pauses_on_battery: bool = True
    pauses_while_typing: bool = True
    yields: bool = True
    tokens_per_s: float = number_field(0.0, least=0, most=1e12)

    @classmethod
    def of(cls, folder: Path, settings: Settings) -> Self:
        """Returns the request for a workspace that the user's settings make.

        Raises:
            ConfigError: A remote server generates the suggestions, or a pattern of private files
                cannot be read.
        """
        if settings.remote.url:
            raise ConfigError(
                "suggestions come from a remote server (remote.url), and only a model on this"
                " machine can be adapted; remove that setting first"
            )
        if fault := find_glob_fault(settings.private_globs):
            raise ConfigError(f"private_globs: {fault}")
        return cls(
            folder=folder,
            minutes=settings.adaptation.minutes,
            model=settings.model,
            private_globs=settings.private_globs,
            pauses_on_battery=settings.adaptation.pause_on_battery,
            pauses_while_typing=settings.adaptation.pause_while_typing,
        )

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads what :meth:`write` wrote.

        Raises:
            ConfigError: It cannot be read.
        """
        try:
            return from_mapping(cls, as_object(read_json(file)), where=str(file))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"cannot read {file} ({error}); start the adaptation again with parrotlet adapt"
            ) from error

    def write(self, file: Path) -> None:
        """Writes it, whole or not at all."""
        write_json_atomically(file, to_mapping(self))
