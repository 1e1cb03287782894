"""The model that is bundled with Parrotlet: named ``bundled``, wherever it is installed."""

from pathlib import Path

BUNDLED = Path("bundled")
BUNDLED_MODEL = Path(__file__).parents[2] / "server" / "model"


def resolve_artifact(path: Path) -> Path:
    """Returns an artifact's folder; ``bundled`` names the model that comes with Parrotlet."""
    return BUNDLED_MODEL if path == BUNDLED and not path.exists() else path
