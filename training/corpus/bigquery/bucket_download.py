"""Downloads the files of an export from its bucket: resumed where it stopped, checked by hash.

Speaks the JSON API of Google Cloud Storage over a session of the caller's, which authorises; so the
tests need only a server. A file lies under its own name only when its size and hash are right; what
has arrived so far is beside it and goes on. Called by ``__main__``.
"""

import base64
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from training.foundation.atomic_files import sync_file
from training.foundation.errors import CorpusError, PrerequisiteError
from training.foundation.folder_lock import folder_lock
from training.foundation.progress import progress_bar

ENDPOINT_VARIABLE = "STORAGE_EMULATOR_HOST"  # as in Google's own libraries
_ENDPOINT = "https://storage.googleapis.com"
_TIMEOUT_S = (20.0, 120.0)  # to connect, and between two pieces
_WAITS_S = (1.0, 4.0, 16.0, 60.0)  # before a request is repeated
_PIECE_BYTES = 1 << 20
_TEMPORARY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_MOST_PAGES = 10_000


@dataclass(frozen=True, kw_only=True)
class BucketObject:
    """A file in a bucket.

    Attributes:
        name: Its full name.
        n_bytes: Its size.
        md5: Its hash, in base64.
        generation: The version that was listed.
    """

    name: str
    n_bytes: int
    md5: str
    generation: str

    @property
    def file_name(self) -> str:
        """What it is called on disk."""
        return PurePosixPath(self.name).name


class BucketDownload:
    """The files of one export.

    Args:
        session: Sends requests, with the user's authorisation.
        prefix: ``gs://BUCKET/PREFIX``.
        waits_s: Before a request is repeated.
    """

    def __init__(self, session: Any, prefix: str, *, waits_s: tuple[float, ...] = _WAITS_S) -> None:
        self._session = session
        self._bucket, _, self._prefix = prefix.removeprefix("gs://").partition("/")
        endpoint = os.environ.get(ENDPOINT_VARIABLE, _ENDPOINT).rstrip("/")
        self._url = f"{endpoint}/storage/v1/b/{quote(self._bucket, safe='')}/o"
        self._waits_s = waits_s
        # as BigQuery writes the star of a pattern; another export may begin with the same prefix
        self._numbered = re.compile(re.escape(f"{self._prefix}-") + r"\d{12,}\.json\.gz")

    def fetch_all(self, folder: Path) -> list[Path]:
        """Downloads what is not there yet; returns the paths of all files.

        Raises:
            CorpusError: The bucket has no such files, or one does not arrive whole.
            PrerequisiteError: The disk has too little room.
        """
        objects = self.list_objects()
        folder.mkdir(parents=True, exist_ok=True)
        with folder_lock(folder, beside=True):
            missing = [found for found in objects if not self._is_there(found, folder)]
            _check_room(missing, folder)
            with progress_bar(len(objects), "downloading", "file") as bar:
                bar.update(len(objects) - len(missing))
                for found in missing:
                    self._fetch(found, folder)
                    bar.update()
        return [folder / found.file_name for found in objects]

    def list_objects(self) -> list[BucketObject]:
        """Returns the files whose names are the prefix and a number, as those of an export.

        Raises:
            CorpusError: There are none, or the answer is not that of a bucket.
        """
        found: list[BucketObject] = []
        token = ""
        for _ in range(_MOST_PAGES):
            parameters = {"prefix": f"{self._prefix}-", **({"pageToken": token} if token else {})}
            with closing(self._request(self._url, parameters, {})) as answer:
                page = answer.json()
            try:
                items = [_read_object(item) for item in page.get("items", ())]
                found += [item for item in items if self._numbered.fullmatch(item.name)]
                token = str(page.get("nextPageToken") or "")
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise CorpusError(
                    f"the listing of gs://{self._bucket} is not that of a bucket ({error!r}); try"
                    " again later"
                ) from error
            if not token:
                break
        if not found:
            raise CorpusError(
                f"gs://{self._bucket}/{self._prefix}-* names no files; check --bucket, or export"
                " again to another prefix"
            )
        return found

    def _is_there(self, found: BucketObject, folder: Path) -> bool:
        path = folder / found.file_name
        is_whole = path.is_file() and path.stat().st_size == found.n_bytes
        return is_whole and _hash_file(path) == found.md5

    def _fetch(self, found: BucketObject, folder: Path) -> None:
        """Downloads a file; twice, if what arrived of an earlier version was continued."""
        path = folder / found.file_name
        aside = path.with_name(f"{path.name}.part")
        for _ in range(2):
            self._continue(found, aside)
            if _hash_file(aside) == found.md5:
                sync_file(aside)
                aside.replace(path)
                return
            aside.unlink()
        raise CorpusError(
            f"gs://{self._bucket}/{found.name} does not arrive with the hash that the bucket"
            " states; run the same command again later"
        )

    def _continue(self, found: BucketObject, aside: Path) -> None:
        """Appends what is missing, however often the connection breaks."""
        url = f"{self._url}/{quote(found.name, safe='')}"
        parameters = {"alt": "media", "generation": found.generation}
        n_failures = 0
        aside.touch()
        while (done := aside.stat().st_size) < found.n_bytes:
            headers = {"Range": f"bytes={done}-", "Accept-Encoding": "gzip"}  # as it lies there
            try:
                with closing(self._request(url, parameters, headers)) as answer:
                    is_rest = answer.status_code == HTTPStatus.PARTIAL_CONTENT
                    with aside.open("ab" if is_rest else "wb") as file:
                        for piece in _iterate_pieces(answer, found.n_bytes):
                            file.write(piece)
                            n_failures = 0
            except (CorpusError, PrerequisiteError):
                raise
            except Exception as error:  # the transport may raise anything
                if n_failures == len(self._waits_s):
                    raise CorpusError(
                        f"gs://{self._bucket}/{found.name} breaks off ({error}); run the same"
                        " command again to resume"
                    ) from error
                time.sleep(self._waits_s[n_failures])
                n_failures += 1
            else:
                if aside.stat().st_size <= done:
                    break  # nothing more comes: the hash decides

    def _request(self, url: str, parameters: dict[str, str], headers: dict[str, str]) -> Any:
        """Returns the answer to a request, which is repeated while the service is busy.

        Raises:
            CorpusError: It was refused.
            PrerequisiteError: The user may not read the bucket.
        """
        for wait_s in (*self._waits_s, None):
            try:
                answer = self._session.get(
                    url, params=parameters, headers=headers, stream=True, timeout=_TIMEOUT_S
                )
            except OSError as error:  # as the exceptions of the library are
                if wait_s is None:
                    raise CorpusError(
                        f"gs://{self._bucket} cannot be reached ({error}); run the same command"
                        " again to resume"
                    ) from error
                time.sleep(wait_s)
                continue
            status = answer.status_code
            if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                return answer
            answer.close()
            if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                raise PrerequisiteError(
                    f"gs://{self._bucket} may not be read with these credentials (status {status});"
                    " run: gcloud auth application-default login"
                )
            if status not in _TEMPORARY or wait_s is None:
                break
            sys.stderr.write(f"the bucket answers {status}; waiting {wait_s:g} s\n")
            time.sleep(wait_s)
        raise CorpusError(
            f"gs://{self._bucket} answers with status {status}; check --bucket, or run the same"
            " command again to resume"
        )


def _read_object(item: dict[str, Any]) -> BucketObject:
    found = BucketObject(
        name=str(item["name"]),
        n_bytes=int(item["size"]),
        md5=str(item["md5Hash"]),
        generation=str(item["generation"]),
    )
    if found.n_bytes < 0:
        raise ValueError(found.name)
    return found


def _iterate_pieces(answer: Any, n_most: int) -> Iterator[bytes]:
    """Yields the body as it was sent, not unpacked, and no more than was announced."""
    left = n_most
    while left > 0 and (piece := answer.raw.read(min(left, _PIECE_BYTES), decode_content=False)):
        left -= len(piece)
        yield piece


def _check_room(missing: list[BucketObject], folder: Path) -> None:
    needed = sum(found.n_bytes for found in missing)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PrerequisiteError(
            f"the files have {needed:,} bytes, but {folder} has room for {free:,}; choose another"
            " folder for --download, or stream them from elsewhere"
        )


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
    return base64.b64encode(digest).decode()
