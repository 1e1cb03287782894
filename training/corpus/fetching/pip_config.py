"""Where packages are looked for: pip's own settings, read and not executed.

Environment variables go before files, a file named by ``PIP_CONFIG_FILE`` before the user's, that
before the machine's, as with pip. Nothing is looked up here; with nothing configured ``unearth``'s
own default holds. Called by :mod:`training.corpus.fetching.fetcher`.
"""

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_SECTIONS = ("download", "global")  # what is said for the command goes before what is said for all
DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """Where to look; ``index_url`` is None for the default, ``cert`` for the system's."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    cert: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S


def index_settings() -> IndexSettings:
    """Reads pip's environment variables and configuration files."""
    files = _config_files()

    def option(name: str) -> str:
        variable = os.environ.get("PIP_" + name.upper().replace("-", "_"), "").strip()
        return variable or _from_files(files, name)

    return IndexSettings(
        index_url=option("index-url") or None,
        extra_index_urls=tuple(option("extra-index-url").split()),
        find_links=tuple(option("find-links").split()),
        trusted_hosts=tuple(option("trusted-host").split()),
        no_index=option("no-index").lower() in {"1", "true", "yes", "on"},
        cert=option("cert") or None,
        timeout_s=_seconds(option("timeout") or option("default-timeout")),
    )


def _from_files(files: list[configparser.RawConfigParser], name: str) -> str:
    for parser in files:
        for section in _SECTIONS:
            value = parser.get(section, name, fallback="").strip()
            if value:
                return value
    return ""


def _config_files() -> list[configparser.RawConfigParser]:
    """Returns the files that exist, the one that goes before all others first."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:  # pip's way to say: no file at all
        return []
    home = Path.home()
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    data = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [
        *([Path(named)] if named else []),
        Path(sys.prefix) / name,
        home / "Library" / "Application Support" / "pip" / name,
        data / "pip" / name,
        home / ".pip" / name,
        Path("/etc") / name,
        Path("/etc/xdg/pip") / name,
    ]
    parsers = []
    for path in paths:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself would complain; a broken file names no index
        parsers.append(parser)
    return parsers


def _seconds(text: str) -> float:
    try:
        return max(float(text), 1.0)
    except ValueError:
        return DEFAULT_TIMEOUT_S
