"""Lists and downloads the files of package indexes, using ``unearth``.

A download is written to a temporary file and hashed on the way. Every failure of an index or of the
network becomes a :class:`FetchError`: one sentence, and whether the index could be reached at all.
Called by :mod:`training.corpus.fetching.archive_fetcher` and
:mod:`training.corpus.fetching.lock_resolver`.
"""

import errno
import hashlib
import logging
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from unearth import Link, Package, PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers.sync import PyPIClient

from training.corpus.fetching.pip_config import PipConfig, read_pip_config
from training.foundation.atomic_files import name_file
from training.foundation.errors import CorpusError

T = TypeVar("T")
RETRY_WAITS_S = (1.0, 4.0)
MAX_ARCHIVE_BYTES = 2 << 30
ASIDE_PREFIX = ".fetching-"
STALE_AFTER_S = 3600.0  # an unfinished download untouched for this long is abandoned
MAX_DOWNLOAD_S = 3600.0  # whatever the file's size: a server may send a byte a minute
# Of the cache's folder; what the network raises has other numbers.
_DISK_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.EIO, errno.EMFILE),
}
_NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 404, 429, 500

logging.getLogger("unearth").addHandler(logging.NullHandler())  # failures are reported below


class FetchError(CorpusError):
    """A package that cannot be fetched.

    Attributes:
        what: The package, as the lock names it.
        reason: What happened.
        advice: What to do.
        is_unreachable: Whether there was no connection at all.
        is_final: Whether retrying cannot help.
    """

    def __init__(
        self,
        what: str,
        reason: str,
        advice: str,
        *,
        is_unreachable: bool = False,
        is_final: bool = False,
    ) -> None:
        super().__init__(f"cannot fetch {what} ({reason}); {advice}")
        self.what, self.reason, self.advice = what, reason, advice
        self.is_unreachable, self.is_final = is_unreachable, is_final


@dataclass(frozen=True, kw_only=True)
class Download:
    """A downloaded file in the cache folder, not yet under its final name."""

    path: Path
    sha256: str


@dataclass(kw_only=True)
class PackageIndex:
    """The package indexes of pip's settings, queried together."""

    finder: PackageFinder
    _statuses: list[tuple[int, str]] = field(default_factory=list)  # of the last listing

    @classmethod
    def open(cls) -> "PackageIndex":
        """Opens the indexes of pip's settings."""
        settings = read_pip_config()
        index = cls(finder=_make_finder(settings))
        index.finder.session.event_hooks = {"response": [index._record_status]}  # type: ignore[attr-defined]
        return index

    def close(self) -> None:
        """Closes the connections that are kept open for further requests."""
        self.finder.session.close()  # type: ignore[attr-defined]

    def list_files(self, name: str) -> list[Package]:
        """Returns the files of a package in every version, yanked ones included.

        Raises:
            FetchError: An index failed, so the list may be incomplete.
        """
        self._statuses.clear()
        found = list(self.finder.find_all_packages(name, allow_yanked=True))
        failed = [s for s in self._statuses if s[0] >= _SERVER_ERROR or s[0] == _TOO_MANY]
        if failed:
            raise FetchError(name, f"{failed[0][1]} answered {failed[0][0]}", ADVISE_AGAIN)
        if not found:
            raise FetchError(
                name,
                "no index lists a file of it",
                "correct its name, or pip's index settings",
                is_final=True,
            )
        return found

    def download(
        self, link: Link, folder: Path, *, max_bytes: int = MAX_ARCHIVE_BYTES
    ) -> Download | None:
        """Downloads a file into ``folder``; returns None if it is larger than ``max_bytes``.

        The caller moves or removes the file.
        """
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=ASIDE_PREFIX)
        digest = hashlib.sha256()
        n_bytes = 0
        try:
            with (
                name_file(folder),
                os.fdopen(handle, "wb") as file,
                closing(self._iter_pieces(link, max_bytes)) as pieces,
            ):
                for piece in pieces:
                    n_bytes += len(piece)
                    if n_bytes > max_bytes:
                        Path(name).unlink()
                        return None
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return Download(path=Path(name), sha256=digest.hexdigest())

    def _iter_pieces(self, link: Link, max_bytes: int) -> Generator[bytes, None, None]:
        # no compression on the way: the hash is that of the file itself
        headers = {"Accept-Encoding": "identity"}
        session = self.finder.session
        with session.get_stream(link.url_without_fragment, headers=headers) as response:
            response.raise_for_status()
            if int(response.headers.get("Content-Length") or 0) > max_bytes:
                yield b"\0" * (max_bytes + 1)
                return
            deadline = time.monotonic() + MAX_DOWNLOAD_S
            for piece in response.iter_bytes():
                yield piece
                if time.monotonic() > deadline:
                    reason = f"{_get_host(response.url)} is too slow"
                    raise FetchError(link.filename, reason, ADVISE_OTHER, is_final=True)

    def _record_status(self, response: Any) -> None:
        self._statuses.append((response.status_code, _get_host(response.url)))


ADVISE_AGAIN = (
    "check the network and pip's index settings, then run the same command again:"
    " what was fetched is kept"
)
ADVISE_OTHER = "name another index in pip's settings, or renew the lock"


def retry(what: str, attempt: Callable[[], T]) -> T:
    """Returns the result of ``attempt``, called again a few times if it fails.

    Args:
        what: The package, for the message.
        attempt: Fetches something from an index.

    Raises:
        FetchError: The last retry failed, or retrying cannot help.
    """
    for wait_s in (*RETRY_WAITS_S, None):
        try:
            return attempt()
        except FetchError as error:
            failure = error
            if error.is_final:
                break
        except Exception as error:  # the network may fail in any way
            if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
                raise
            failure = _translate_error(what, error)
        if wait_s is not None:
            time.sleep(wait_s)
    raise failure


def remove_stale(folder: Path) -> None:
    """Removes the unfinished downloads of killed runs from a cache folder."""
    for path in folder.glob(f"{ASIDE_PREFIX}*"):
        try:
            if time.time() - path.stat().st_mtime > STALE_AFTER_S:
                path.unlink()
        except OSError:
            continue  # another run removed it


def _translate_error(what: str, error: Exception) -> FetchError:
    """Describes an exception of the HTTP client, which is ``unearth``'s dependency."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    host = _get_host(getattr(getattr(error, "_request", None), "url", None))
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status == _NOT_FOUND:
        return FetchError(what, f"{host} does not have the file: 404", ADVISE_OTHER)
    if status:
        return FetchError(what, f"{host} answered {status}", ADVISE_AGAIN)
    if "TimeoutException" in kinds:
        reason = f"{host} did not answer in time"
        return FetchError(what, reason, ADVISE_AGAIN, is_unreachable=True)
    if "ConnectError" in kinds:
        reason = f"no connection to {host}: {error}"
        return FetchError(what, reason, ADVISE_AGAIN, is_unreachable=True)
    return FetchError(what, f"{type(error).__name__} from {host}: {error}", ADVISE_AGAIN)


def _get_host(url: Any) -> str:
    return getattr(url, "netloc", b"").decode() or "the index"


def _load_certificates(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError, too
        raise FetchError(
            "archives",
            f"the certificates {path} of pip's settings cannot be read: {error.strerror or error}",
            "correct 'cert' in pip's settings",
            is_final=True,
        ) from error


def _make_finder(settings: PipConfig) -> PackageFinder:
    default = PackageFinder().sources[0]["url"]
    indexes = (
        [] if settings.no_index else [settings.index_url or default, *settings.extra_index_urls]
    )
    verify = _load_certificates(settings.cert) if settings.cert else True
    session = PyPIClient(
        trusted_hosts=settings.trusted_hosts,
        verify=verify,
        timeout=settings.timeout_s,
        follow_redirects=True,
    )
    session.auth = MultiDomainBasicAuth(prompting=False, index_urls=indexes)
    # unearth's own client, which its protocol types too narrowly
    finder = PackageFinder(session, ignore_compatibility=True)  # type: ignore[arg-type]
    finder.sources.clear()  # with --no-index there is no default either
    for url in indexes:
        finder.add_index_url(url)
    for url in settings.find_links:
        finder.add_find_links(url)
    return finder
