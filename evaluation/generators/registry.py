"""Which writer a model's name asks for."""

from pathlib import Path

from evaluation.generators.generator import Writer
from training.artifact.directory import MANIFEST_FILE


def model_writer(model: str) -> Writer:
    """Returns the writer for an artifact, or for another model's folder or Hub name.

    Raises:
        PrerequisiteError: It cannot be loaded.
    """
    folder = Path(model)
    if (folder / MANIFEST_FILE).exists() or not _may_be_foreign(model):
        from evaluation.generators.artifact_generator import LocalWriter  # noqa: PLC0415 - loads torch

        return LocalWriter(folder)
    from evaluation.generators.transformers_generator import CausalLMWriter  # noqa: PLC0415 - and transformers

    return CausalLMWriter(model)


def _may_be_foreign(model: str) -> bool:
    """A folder with transformers' config, or what can be the name of a repository."""
    return (Path(model) / "config.json").exists() or (
        not Path(model).exists() and model.count("/") == 1 and model[0] not in "./~"
    )
