"""Reads pip's settings for package indexes, without running pip.

As in pip, environment variables take precedence over files, the file that ``PIP_CONFIG_FILE`` names
over the user's, and that over the machine's. Called by
:mod:`training.corpus.fetching.package_index`, which falls back on ``unearth``'s default index.
"""

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_SECTIONS = ("download", "global")  # the command's own section takes precedence
DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class PipConfig:
    """The index settings; ``index_url`` is None for the default, ``cert`` for the system's."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    cert: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S


def read_pip_config() -> PipConfig:
    """Reads pip's environment variables and configuration files."""
    files = _read_config_files()

    def option(name: str) -> str:
        variable = os.environ.get("PIP_" + name.upper().replace("-", "_"), "").strip()
        return variable or _find_option(files, name)

    return PipConfig(
        index_url=option("index-url") or None,
        extra_index_urls=tuple(option("extra-index-url").split()),
        find_links=tuple(option("find-links").split()),
        trusted_hosts=tuple(option("trusted-host").split()),
        no_index=option("no-index").lower() in {"1", "true", "yes", "on"},
        cert=option("cert") or None,
        timeout_s=_parse_timeout(option("timeout") or option("default-timeout")),
    )


def _find_option(files: list[configparser.RawConfigParser], name: str) -> str:
    for parser in files:
        for section in _SECTIONS:
            value = parser.get(section, name, fallback="").strip()
            if value:
                return value
    return ""


def _read_config_files() -> list[configparser.RawConfigParser]:
    """Returns the files that exist, the one with the highest precedence first."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:  # pip's way to disable configuration files
        return []
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - as pip; pathlib's raises without a home
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
            continue  # pip itself reports this; a malformed file names no index
        parsers.append(parser)
    return parsers


def _parse_timeout(text: str) -> float:
    try:
        return max(float(text), 1.0)
    except ValueError:
        return DEFAULT_TIMEOUT_S
