"""Models by name: ``bundled``, wherever Parrotlet is installed, and those fetched from the Hub."""

from pathlib import Path

BUNDLED = Path("bundled")
BUNDLED_MODEL = Path(__file__).parents[2] / "server" / "model"


_FETCHED: dict[Path, Path] = {}  # the folders of models that this process has fetched, by name


def resolve_artifact(path: Path) -> Path:
    """Returns an artifact's folder; ``bundled`` names the model that comes with Parrotlet.

    A name of the Hub stands for its folder once :func:`register_fetched` was told of it.
    """
    if path in _FETCHED:
        return _FETCHED[path]
    return BUNDLED_MODEL if path == BUNDLED and not path.exists() else path


def register_fetched(name: Path, folder: Path) -> None:
    """Lets a name of the Hub stand for the folder to which it was downloaded."""
    _FETCHED[name] = folder
