"""One repository on the Hugging Face Hub: the calls that publishing needs, and their errors.

The only module of training that uses ``huggingface_hub``. Every call is idempotent and may be
repeated after a failure. What to send, and when to retry, is decided by the other modules of
``training.publish``.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Literal

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    get_session,
    set_client_factory,
)
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import disable_progress_bars

from training.foundation.errors import HubError, HubUnavailableError
from training.foundation.foreign_text import replace_surrogates

MAIN = "main"
_TIMEOUT = httpx2.Timeout(120.0, connect=20.0)  # the library's own is none
_REJECTED = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
_WAITS_S = (0.2, 1.0, 4.0)  # before a request is repeated
_TEMPORARY = _REJECTED | {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,  # another commit came first
    HTTPStatus.LOCKED,
}
_NOT_THE_HUB = (TypeError, AttributeError, LookupError, AssertionError, RecursionError)
_MAX_REASON_CHARS = 300
_LOG_IN = "log in with: hf auth login, or set HF_TOKEN to a token that may write"


class Hub:
    """A repository, which need not exist yet; all methods raise :class:`HubError`.

    Raises:
        HubError: The Hub refused the call; the message says what to do.
        HubUnavailableError: The same call may succeed later.
    """

    def __init__(
        self, repo: str, kind: Literal["model", "dataset"] = "model", *, shows_progress: bool
    ) -> None:
        self.repo = repo
        self._repo_arguments: dict[str, Any] = {"repo_id": repo, "repo_type": kind}
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it logs every retry
        if not shows_progress:
            disable_progress_bars()
        hooks = get_session().event_hooks  # the library's own, which implement HF_HUB_OFFLINE
        set_client_factory(
            lambda: _RetryingClient(follow_redirects=True, timeout=_TIMEOUT, event_hooks=hooks)
        )
        self._api = HfApi()

    def create(self, *, private: bool) -> str:
        """Creates the repository unless it exists, and returns its URL and visibility.

        An existing one keeps its visibility, and is refused if it is public but should be private.
        """
        with self._translate_errors():
            url = self._api.create_repo(**self._repo_arguments, private=private, exist_ok=True)
            is_private = self._api.repo_info(**self._repo_arguments).private
        if private and not is_private:
            raise HubError(
                f"{self.repo} exists already and is public; confirm that with --public (or"
                " publish.private=false in a run's config), or choose another name"
            )
        return f"{url} ({'private' if is_private else 'public'})"

    def create_branch(self, branch: str) -> None:
        """Creates a branch from main unless it exists."""
        with self._translate_errors():
            self._api.create_branch(**self._repo_arguments, branch=branch, exist_ok=True)

    def list_files(self, revision: str = MAIN) -> dict[str, str]:
        """Returns the files of a revision with the hashes of their content."""
        with self._translate_errors():
            entries = self._api.list_repo_tree(
                **self._repo_arguments, recursive=True, revision=revision
            )
            return {e.path: e.blob_id for e in entries if isinstance(e, RepoFile)}

    def commit(
        self,
        files: Mapping[str, Path],
        *,
        message: str,
        revision: str = MAIN,
        replaces: Callable[[str], bool] = lambda _name: False,
    ) -> bool:
        """Commits files to a branch, unless it already has them; returns whether it committed.

        Args:
            files: Local files by their path in the repository.
            message: The commit's title.
            revision: The branch.
            replaces: Tells which files of the repository to delete unless they are in ``files``.
        """
        with self._translate_errors():
            head = self._api.repo_info(**self._repo_arguments, revision=revision).sha
            there = self.list_files(head or revision)
            gone = sorted(name for name in there.keys() - files.keys() if replaces(name))
            commit = self._api.create_commit(
                **self._repo_arguments,
                revision=revision,
                operations=[
                    *(CommitOperationAdd(name, path) for name, path in files.items()),
                    *(CommitOperationDelete(name) for name in gone),
                ],
                commit_message=message,
                parent_commit=head,  # so that nothing unseen is deleted
            )
        return bool(commit.oid != head)

    def merge(self, branch: str, *, excludes: Callable[[str], bool] = lambda _name: False) -> None:
        """Brings main to the state of a branch, with a pull request that copies its files.

        Files that the branch has deleted since it left main are deleted; files that others added to
        main stay. Weights are copied on the Hub, not uploaded again.

        Args:
            branch: The branch.
            excludes: Tells which of its files are for the branch alone.
        """
        ours, theirs = self.list_files(), self.list_files(branch)
        theirs = {name: blob for name, blob in theirs.items() if not excludes(name)}
        changed = [name for name in theirs if ours.get(name) != theirs[name]]
        with self._translate_errors():
            on_main, on_branch = (
                [
                    c.commit_id
                    for c in self._api.list_repo_commits(**self._repo_arguments, revision=name)
                ]
                for name in (MAIN, branch)
            )
        shared = next((commit for commit in on_branch if commit in set(on_main)), None)
        base = {} if shared is None else self.list_files(shared)  # None: main was rewritten
        gone = [name for name in ours if name in base and name not in theirs]
        if not changed and not gone:
            return
        title = f"Merge {branch} ({on_branch[0][:8]})"
        with self._translate_errors():
            number = self._find_pull_request(title)
            if number is None:
                operations: list[CommitOperationCopy | CommitOperationDelete] = [
                    *(CommitOperationCopy(name, name, src_revision=branch) for name in changed),
                    *(CommitOperationDelete(name) for name in gone),
                ]
                number = self._api.create_commit(
                    **self._repo_arguments,
                    operations=operations,
                    commit_message=title,
                    create_pr=True,
                ).pr_num
            assert number is not None
            self._api.merge_pull_request(**self._repo_arguments, discussion_num=number)

    def _find_pull_request(self, title: str) -> int | None:
        """Returns the pull request that an earlier attempt opened but did not merge."""
        opened = self._api.get_repo_discussions(
            **self._repo_arguments, discussion_type="pull_request", discussion_status="open"
        )
        return next((request.num for request in opened if request.title == title), None)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except HubError:
            raise  # of a call within this one
        except Exception as error:
            raise translate_error(error, self.repo) from error


def translate_error(error: Exception, repo: str) -> HubError:
    """Returns the :class:`HubError` for an error of the client."""
    if isinstance(error, OfflineModeIsEnabled):
        return HubError("HF_HUB_OFFLINE is set, so the Hub cannot be used; unset it")
    response = _find_response(error)
    if response is None:
        lines = replace_surrogates(str(error)).splitlines()
        reason = lines[0][:_MAX_REASON_CHARS] if lines else type(error).__name__
        if isinstance(error, _NOT_THE_HUB):
            return HubError(
                f"what answers for {repo} is not the Hub ({type(error).__name__}: {reason});"
                " check HF_ENDPOINT"
            )
        if isinstance(error, ValueError) and not isinstance(error, JSONDecodeError):
            return HubError(f"{repo}: {reason}")
        return HubUnavailableError(f"the Hub cannot be reached for {repo} ({reason})")
    status, said = response
    if status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HubUnavailableError(f"the Hub answers {status} for {repo}{said}")
    advice: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: f"the Hub rejected the token, or there is none (401); {_LOG_IN}",
        HTTPStatus.FORBIDDEN: f"the token may not write to {repo} (403{said}); {_LOG_IN}",
        HTTPStatus.NOT_FOUND: f"the Hub has no {repo}, or this token has no access to it (404"
        f"{said}); check the name, and {_LOG_IN}",
    }
    return HubError(advice.get(status, f"the Hub refuses {repo}: {status}{said}"))


def _find_response(error: BaseException | None) -> tuple[int, str] | None:
    """Returns the status of the response behind an error, and the Hub's message."""
    while error is not None:
        if isinstance(error, HfHubHTTPError):
            said = (error.server_message or "").splitlines()
            return error.response.status_code, f", {said[0]}" if said else ""
        error = error.__cause__
    return None


class _RetryingClient(httpx2.Client):
    """Repeats requests that the Hub rejected as busy; the library does so for some only."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        for wait_s in _WAITS_S:
            response = super().send(request, **options)
            is_repeatable = isinstance(request.stream, httpx2.ByteStream)
            if response.status_code not in _REJECTED or not is_repeatable:
                return response
            response.close()
            time.sleep(wait_s)
        return super().send(request, **options)
