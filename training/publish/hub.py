"""One repository on the Hugging Face Hub: the calls that publishing makes, and how they fail.

The only module that knows ``huggingface_hub``. Every call may be made again after a failure: what
is there already is not made twice. What to send, and when to try again, is ``training.publish``'s
other modules' decision.
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

MAIN = "main"
_TIMEOUT = httpx2.Timeout(120.0, connect=20.0)  # the library's own is none
_NOT_TAKEN = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
_WAITS_S = (0.2, 1.0, 4.0)  # before the same request is made again
_PASSING = _NOT_TAKEN | {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,  # somebody else's commit came first
    HTTPStatus.LOCKED,
}
_LOG_IN = "log in with: hf auth login, or set HF_TOKEN to a token that may write"


class Hub:
    """A repository, made or not; all its methods raise :class:`HubError`.

    Raises:
        HubError: The Hub refuses; the message says what to do.
        HubUnavailableError: The same call may succeed later.
    """

    def __init__(
        self, repo: str, kind: Literal["model", "dataset"] = "model", *, shows_progress: bool
    ) -> None:
        self.repo = repo
        self._which: dict[str, Any] = {"repo_id": repo, "repo_type": kind}
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells every retry
        if not shows_progress:
            disable_progress_bars()
        hooks = get_session().event_hooks  # the library's: that of HF_HUB_OFFLINE, above all
        set_client_factory(
            lambda: _PatientClient(follow_redirects=True, timeout=_TIMEOUT, event_hooks=hooks)
        )
        self._api = HfApi()

    def make(self, *, private: bool) -> str:
        """Makes the repository unless it is there; returns its address.

        One that is there keeps its visibility; nothing that shall be private goes to a public one.
        """
        with self._failures():
            url = self._api.create_repo(**self._which, private=private, exist_ok=True)
            is_private = self._api.repo_info(**self._which).private
        if private and not is_private:
            raise HubError(
                f"{self.repo} exists already and is public; confirm that with --public (or"
                " publish.private=false in a run's config), or choose another name"
            )
        return f"{url} ({'private' if is_private else 'public'})"

    def make_branch(self, branch: str) -> None:
        """Makes a branch from main unless it is there."""
        with self._failures():
            self._api.create_branch(**self._which, branch=branch, exist_ok=True)

    def tree(self, revision: str = MAIN) -> dict[str, str]:
        """Returns the files of a revision, each with the hash of its content."""
        with self._failures():
            entries = self._api.list_repo_tree(**self._which, recursive=True, revision=revision)
            return {e.path: e.blob_id for e in entries if isinstance(e, RepoFile)}

    def commit(
        self,
        files: Mapping[str, Path],
        *,
        message: str,
        revision: str = MAIN,
        replaces: Callable[[str], bool] = lambda _name: False,
    ) -> bool:
        """Puts files on a branch in one commit, or in none if they are there as they are.

        Args:
            files: Local files by their path in the repository; large ones are sent in pieces.
            message: The commit's title.
            revision: The branch.
            replaces: Names files of the repository that go if they are not among ``files``.
        """
        with self._failures():
            head = self._api.repo_info(**self._which, revision=revision).sha
            there = self.tree(head or revision)
            gone = sorted(name for name in there.keys() - files.keys() if replaces(name))
            commit = self._api.create_commit(
                **self._which,
                revision=revision,
                operations=[
                    *(CommitOperationAdd(name, path) for name, path in files.items()),
                    *(CommitOperationDelete(name) for name in gone),
                ],
                commit_message=message,
                parent_commit=head,  # so that what goes is what was looked at
            )
        return bool(commit.oid != head)

    def merge(self, branch: str) -> None:
        """Brings main to the state of a branch, by a pull request that copies its files.

        Files that the branch has removed since it left main go; files that others added to main
        stay. Weights are copied on the Hub, not sent again.
        """
        ours, theirs = self.tree(), self.tree(branch)
        changed = [name for name in theirs if ours.get(name) != theirs[name]]
        with self._failures():
            on_main, on_branch = (
                [c.commit_id for c in self._api.list_repo_commits(**self._which, revision=name)]
                for name in (MAIN, branch)
            )
        shared = next((commit for commit in on_branch if commit in set(on_main)), None)
        base = {} if shared is None else self.tree(shared)  # None: somebody rewrote main
        gone = [name for name in ours if name in base and name not in theirs]
        if not changed and not gone:
            return
        title = f"Merge {branch} ({on_branch[0][:8]})"
        with self._failures():
            number = self._open_request(title)
            if number is None:
                operations: list[CommitOperationCopy | CommitOperationDelete] = [
                    *(CommitOperationCopy(name, name, src_revision=branch) for name in changed),
                    *(CommitOperationDelete(name) for name in gone),
                ]
                number = self._api.create_commit(
                    **self._which, operations=operations, commit_message=title, create_pr=True
                ).pr_num
            assert number is not None
            self._api.merge_pull_request(**self._which, discussion_num=number)

    def _open_request(self, title: str) -> int | None:
        """Returns the pull request that an earlier try has opened and not merged."""
        opened = self._api.get_repo_discussions(
            **self._which, discussion_type="pull_request", discussion_status="open"
        )
        return next((request.num for request in opened if request.title == title), None)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise failure(error, self.repo) from error


def failure(error: Exception, repo: str) -> HubError:
    """Returns what an error of the client means to whoever publishes."""
    if isinstance(error, OfflineModeIsEnabled):
        return HubError("HF_HUB_OFFLINE is set, so the Hub cannot be used; unset it")
    answer = _answer(error)
    if answer is None:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, ValueError) and not isinstance(error, JSONDecodeError):
            return HubError(f"{repo}: {reason}")
        return HubUnavailableError(f"the Hub cannot be reached for {repo} ({reason})")
    status, said = answer
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HubUnavailableError(f"the Hub answers {status} for {repo}{said}")
    advice: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: f"the Hub rejected the token, or there is none (401); {_LOG_IN}",
        HTTPStatus.FORBIDDEN: f"the token may not write to {repo} (403{said}); {_LOG_IN}",
        HTTPStatus.NOT_FOUND: f"the Hub has no {repo}, or this token has no access to it (404"
        f"{said}); check the name, and {_LOG_IN}",
    }
    return HubError(advice.get(status, f"the Hub refuses {repo}: {status}{said}"))


def _answer(error: BaseException | None) -> tuple[int, str] | None:
    """Returns the status of the answer that led to an error, and what the Hub said with it."""
    while error is not None:
        if isinstance(error, HfHubHTTPError):
            said = (error.server_message or "").splitlines()
            return error.response.status_code, f", {said[0]}" if said else ""
        error = error.__cause__
    return None


class _PatientClient(httpx2.Client):
    """Makes a request again that the Hub has not taken; the library does so for some only."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        for wait_s in _WAITS_S:
            response = super().send(request, **options)
            is_repeatable = isinstance(request.stream, httpx2.ByteStream)
            if response.status_code not in _NOT_TAKEN or not is_repeatable:
                return response
            response.close()
            time.sleep(wait_s)
        return super().send(request, **options)
