"""The installed package: the command ``parrotlet`` and, in a wheel, everything else.

A checkout has ``server``, ``training`` and ``evaluation`` beside this folder; a wheel has them
inside it, so that only one name enters site-packages (``hatch_build.py`` moves them).
"""

import sys
from pathlib import Path

HOME = Path(__file__).parent
IS_WHEEL = (HOME / "server").is_dir()
ROOT = HOME if IS_WHEEL else HOME.parent  # the folder that has server, training and evaluation

if not IS_WHEEL and sys.path[:1] != [str(ROOT)]:
    sys.path.insert(0, str(ROOT))  # before a package "server" of the user's, on PYTHONPATH say


def qualify(module: str) -> str:
    """Returns the name by which a module of the checkout is imported here."""
    is_ours = module == __name__ or module.startswith(f"{__name__}.")
    return f"{__name__}.{module}" if IS_WHEEL and not is_ours else module
