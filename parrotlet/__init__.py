"""The installed package: the command ``parrotlet`` and, in a wheel, everything else.

In a checkout, ``server``, ``training`` and ``evaluation`` are beside this folder; in a wheel they
are inside it, so that site-packages has only one new name (``hatch_build.py`` moves them).
"""

# Only standard modules that Python has already loaded: see server/isolation.py.
import os
import sys

HOME = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
IS_WHEEL = os.path.isdir(os.path.join(HOME, "server"))  # noqa: PTH112, PTH118
# The folder that contains server, training and evaluation.
ROOT = HOME if IS_WHEEL else os.path.dirname(HOME)  # noqa: PTH120

if not IS_WHEEL and sys.path[:1] != [ROOT]:
    sys.path.insert(0, ROOT)  # ahead of a user's own package "server", on PYTHONPATH, say


def qualify(module: str) -> str:
    """Returns the name under which a module of the checkout is imported here."""
    is_ours = module == __name__ or module.startswith(f"{__name__}.")
    return f"{__name__}.{module}" if IS_WHEEL and not is_ours else module
