"""The model that comes with Parrotlet, by its name ``bundled``, wherever it is installed."""

from pathlib import Path

BUNDLED = Path("bundled")
BUNDLED_MODEL = Path(__file__).parents[2] / "server" / "model"


def resolve_artifact(path: Path) -> Path:
    """Returns the folder of an artifact: ``bundled`` names the model that comes with Parrotlet."""
    return BUNDLED_MODEL if path == BUNDLED and not path.exists() else path
