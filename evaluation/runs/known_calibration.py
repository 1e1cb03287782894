"""How a model's confidence is calibrated, for commands whose results depend on it."""

from pathlib import Path

from server.suggestion.confidence import Calibration
from training.artifact.directory import load_artifact


def describe_calibration(model: Path) -> str:
    """Returns what identifies a model's calibration; "" for a model that is not calibrated.

    Raises:
        ArtifactError: The model is missing or damaged.
    """
    found = Calibration.of(load_artifact(model, reads_weights=False).manifest.evaluation)
    return "" if found is None else f"{found.slope!r} log p + {found.intercept!r}"
