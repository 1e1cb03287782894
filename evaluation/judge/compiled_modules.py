"""The modules that run within a sandbox, compiled: they are sent to it when it starts.

Compiled once per process, or by an earlier one, and not by every sandbox; and no sandbox needs our
files. See ``inside.bootstrap``, which receives them.
"""

import functools
import importlib.util
import marshal
from pathlib import Path

from evaluation.judge.inside import bootstrap

_INSIDE = Path(bootstrap.__file__).parent
_PACKAGE = bootstrap.__name__.rpartition(".")[0]


def read_bootstrap() -> str:
    """Returns the text of the program that receives the modules."""
    return Path(bootstrap.__file__).read_text(encoding="utf-8")


@functools.cache
def encode_modules() -> bytes:
    """Returns all modules inside, with their length, as the first bytes on a sandbox's socket."""
    parts = _PACKAGE.split(".")
    codes = {
        ".".join(parts[:n]): (True, marshal.dumps(compile("", "", "exec")))
        for n in range(1, len(parts))
    }
    for path in sorted(_INSIDE.rglob("*.py")):
        is_package = path.name == "__init__.py"
        inner = path.relative_to(_INSIDE).with_suffix("").parts
        name = ".".join([_PACKAGE, *(inner[:-1] if is_package else inner)])
        codes[name] = (is_package, _compile(name, path))
    data = marshal.dumps(codes)
    return len(data).to_bytes(bootstrap.LENGTH_BYTES, "little") + data


def _compile(name: str, path: Path) -> bytes:
    """Returns a module's code, from the interpreter's cache if it is there."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    code = spec.loader.get_code(name)  # type: ignore[union-attr]
    return marshal.dumps(code)
