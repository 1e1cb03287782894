"""Models of the Hub to start from, resume, or learn from: ``OWNER/NAME@REVISION`` for a folder.

Fetched once, before anything else uses the config. The config then names the very commit, so that
what is recorded stays true when the branch moves on; a resumed run keeps the commit that it started
from.
"""

import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from training.artifact.bundled import BUNDLED, register_fetched
from training.config import RunConfig
from training.foundation.foreign_text import as_object, read_json
from training.foundation.hub.hub_files import HubName, fetch_hub_files, parse_hub_name

_COMMIT = re.compile(r"[0-9a-f]{7,40}")


def fetch_starting_point(config: RunConfig) -> RunConfig:
    """Returns the config with the models that it names at the commits they mean now.

    Raises:
        HubError: The Hub has no such model, or cannot be reached.
    """
    settings = config.pretrain
    start, resume, teacher = settings.start_from, settings.resume_from, config.distil.teacher
    if start is None and resume is None and teacher is None:
        return config
    # Imported here because both import torch.
    from training.artifact.directory import PUBLIC_FILES  # noqa: PLC0415
    from training.run.checkpoint import STATE_FILES  # noqa: PLC0415

    if start is not None:
        start = fetch_model(_keep_commit(start, config.paths.run), sorted(PUBLIC_FILES))
    if resume is not None:
        resume = fetch_model(resume, sorted(PUBLIC_FILES | STATE_FILES))
    if teacher is not None:
        teacher = fetch_model(teacher, sorted(PUBLIC_FILES))
    return dataclasses.replace(
        config,
        pretrain=dataclasses.replace(settings, start_from=start, resume_from=resume),
        distil=dataclasses.replace(config.distil, teacher=teacher),
    )


def _keep_commit(start: Path, run: Path) -> Path:
    """Replaces a branch by the commit that it meant when the run in this folder started."""
    try:
        settings = as_object(as_object(read_json(run / "config.json")).get("pretrain"))
    except (OSError, ValueError):
        return start
    before = settings.get("start_from")
    found = parse_hub_name(start.as_posix())
    started = parse_hub_name(before) if isinstance(before, str) else None
    if found is None or started is None or found.repo != started.repo:
        return start
    if found.revision == started.revision or _COMMIT.fullmatch(found.revision or ""):
        return start
    sys.stderr.write(
        f"{start} is {started}, from which the run in {run} started; choose another paths.run to"
        " start from what it is now\n"
    )
    return Path(str(started))


def fetch_model(path: Path, patterns: Sequence[str]) -> Path:
    """Fetches what a path names on the Hub; a folder, or "bundled", stays what it is.

    Returns:
        The model's name with the commit, which ``resolve_artifact`` then knows.

    Raises:
        HubError: The Hub has no such model, or cannot be reached.
    """
    name = None if path == BUNDLED else parse_hub_name(path.as_posix())
    if name is None:
        return path
    folder = fetch_hub_files(name, patterns)
    exact = Path(str(HubName(repo=name.repo, revision=folder.name)))
    register_fetched(exact, folder)
    return exact
