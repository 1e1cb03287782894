"""Files of model repositories on the Hugging Face Hub, by name and revision.

``OWNER/NAME@REVISION`` names a commit, a branch or a tag; without a revision, main. Files land in
the cache that the Hub's own tools share. If the Hub cannot be reached, what is cached is used.
Nothing that is fetched is ever run. Called for models to start from and tokenizers to compare with.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.foundation.errors import HubError, HubUnavailableError

_NAME = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*|[\w-][\w.-]*)(?:@([\w./-]+))?", re.ASCII)
# Models of before the Hub had owners, which books call by these names.
_SHORT_NAMES = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "gpt2-large": "openai-community/gpt2-large",
    "gpt2-xl": "openai-community/gpt2-xl",
    "openai-gpt": "openai-community/openai-gpt",
    "t5-small": "google-t5/t5-small",
    "t5-base": "google-t5/t5-base",
    "camembert-base": "almanach/camembert-base",
    "bert-base-uncased": "google-bert/bert-base-uncased",
    "codeparrot": "codeparrot/codeparrot",
    "codeparrot-small": "codeparrot/codeparrot-small",
}


@dataclass(frozen=True, kw_only=True)
class HubName:
    """A repository, and a revision of it; None for main."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


def parse_hub_name(name: str) -> HubName | None:
    """Parses a name of the Hub; returns None if it is a path that exists, or no such name."""
    found = _NAME.fullmatch(name)
    if found is None or Path(name).exists():
        return None
    repo = _SHORT_NAMES.get(found[1], found[1])
    return HubName(repo=repo, revision=found[2]) if "/" in repo else None


def fetch_hub_files(name: HubName, patterns: Sequence[str]) -> Path:
    """Returns the folder of a revision with the files that match; its name is the commit.

    Raises:
        HubError: The Hub refuses, and nothing is cached.
        HubUnavailableError: It cannot be reached, and nothing is cached.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - seldom wanted, and slow
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(
            snapshot_download(name.repo, revision=name.revision, allow_patterns=list(patterns))
        )
    except HfHubHTTPError as error:
        raise HubError(
            f"the Hub answers {error.response.status_code} for {name}; check the name and the"
            " revision, or log in with: hf auth login"
        ) from error
    except LocalEntryNotFoundError as error:
        raise HubUnavailableError(
            f"the Hub cannot be reached for {name}, and it is not cached; check the network, or"
            " name a folder"
        ) from error
    except (OSError, ValueError) as error:
        reason = f"{error}".partition("\n")[0]
        raise HubError(
            f"{name} cannot be downloaded ({reason}); try again, or name a folder"
        ) from error
