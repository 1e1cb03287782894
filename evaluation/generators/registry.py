"""Which generator a model's name stands for."""

from pathlib import Path

from evaluation.generators.generator import Generator
from server.settings import Device
from training.artifact.manifest import MANIFEST_FILE
from training.foundation.hub.hub_files import parse_hub_name


def load_generator(model: str, device: Device = "auto") -> Generator:
    """Returns the generator for an artifact, or for another model's folder or Hub repository.

    Args:
        model: As the command line names it.
        device: Where it runs; "auto" is a GPU if there is one.

    Raises:
        ArtifactError: The artifact is missing or damaged.
        PrerequisiteError: The other model cannot be loaded.
    """
    folder = Path(model)
    if (folder / MANIFEST_FILE).exists() or not _may_be_foreign(model):
        from evaluation.generators.artifact_generator import (  # noqa: PLC0415 - imports torch
            ArtifactGenerator,
        )

        return ArtifactGenerator(folder, device)
    from evaluation.generators.transformers_generator import (  # noqa: PLC0415 - and transformers
        TransformersGenerator,
    )

    on_hub = None if folder.exists() else parse_hub_name(model)
    return TransformersGenerator(model if on_hub is None else str(on_hub), device)


def _may_be_foreign(model: str) -> bool:
    """Returns whether it is a folder with transformers' config, or may be a Hub repository."""
    return (Path(model) / "config.json").exists() or parse_hub_name(model) is not None
