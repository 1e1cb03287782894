"""Private files: nothing is suggested in them, and nothing of them reaches the model.

They are recognised by name alone, without reading them.
"""

from collections.abc import Sequence

from server.workspace.uris import paths_named_by
from training.foundation.privacy.private_paths import is_private_path


def is_private(uri: str, globs: Sequence[str]) -> bool:
    """Returns whether a document is private, by its name or path.

    Args:
        uri: The document's URI.
        globs: The user's, besides those that are always private.
    """
    return any(is_private_path(path, globs) for path in paths_named_by(uri))
