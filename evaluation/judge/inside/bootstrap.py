"""The first program of a sandbox's interpreter: imports the modules that the host sends.

The host passes this file's text on the command line and writes the compiled modules to the socket
that is standard input (see ``evaluation.judge.compiled_modules``). A sandbox therefore holds none
of our files, and compiles nothing. Arguments: the module whose ``main`` to call, and folders to
import packages from.
"""

import marshal
import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

LENGTH_BYTES = 4


def _receive(n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        part = os.read(0, n_bytes - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class _Modules:
    """Finds and loads what the host has sent: for each name, whether a package, and its code."""

    def __init__(self, codes: dict[str, tuple[bool, bytes]]) -> None:
        self._codes = codes

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        """See ``importlib.abc.MetaPathFinder``."""
        if name not in self._codes:
            return None
        return type(sys.__spec__)(name, self, is_package=self._codes[name][0])  # type: ignore[arg-type]

    def create_module(self, _spec: object) -> None:
        """See ``importlib.abc.Loader``."""

    def exec_module(self, module: ModuleType) -> None:
        """See ``importlib.abc.Loader``."""
        exec(marshal.loads(self._codes.pop(module.__name__)[1]), vars(module))  # noqa: S102, S302


def main() -> None:
    """Becomes what the host asks for."""
    name, folders, *sys.argv[1:] = sys.argv[1:]
    sys.path += folders.split(":")
    n_bytes = int.from_bytes(_receive(LENGTH_BYTES), "little")
    sys.meta_path.insert(0, _Modules(marshal.loads(_receive(n_bytes))))  # noqa: S302 - our own
    import_module(name).main()


if __name__ == "__main__":
    main()
