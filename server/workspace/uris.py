"""What a document's URI says, whatever it is: editors have many schemes, and buffers have names.

Nothing here fails: what is no URI is a name.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes
from urllib.request import url2pathname

# RFC 3986, appendix B; urllib's parser refuses buffer://[Scratch]
_URI = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<host>[^/?#]*))?(?P<path>[^?#]*).*",
    re.DOTALL,
)


def path_of(uri: str) -> Path | None:
    """Returns the path of a ``file:`` URI on this machine; None for other URIs."""
    parts = _URI.fullmatch(uri)
    if parts is None or (parts["scheme"] or "").lower() != "file" or not parts["path"]:
        return None
    if os.name == "nt":
        name = url2pathname(f"//{parts['host']}{parts['path']}" if parts["host"] else parts["path"])
    elif parts["host"] not in {None, "", "localhost"}:
        return None  # another machine's
    else:
        name = os.fsdecode(unquote_to_bytes(parts["path"].encode("utf-8", "surrogatepass")))
    path = Path(name)
    return path if path.is_absolute() and "\0" not in name else None


def paths_named_by(uri: str) -> tuple[str, ...]:
    """Returns the paths that a URI may mean, decoded, with slashes; for comparing names alone.

    More than one, since clients do not encode all that they should: ``file:///w/C#/.env``.
    """
    parts = _URI.fullmatch(uri)
    path = uri if parts is None else parts["path"]
    whole = uri if parts is None or parts["scheme"] is None else uri[len(parts["scheme"]) + 1 :]
    named = [unquote(path), unquote(whole)]
    return tuple(dict.fromkeys([*named, *(one.replace("\\", "/") for one in named)]))


def file_name(uri: str) -> str:
    """Returns the last part of a URI's path, decoded, on one line."""
    name = paths_named_by(uri)[0].rpartition("/")[2]
    return " ".join(name.split())
