"""The models that were adapted to workspaces: one folder each, and which of them serves which.

A model belongs to a repository, known by the commit it began with, and to a folder in it; without
git to a path. So it stays with a repository that was moved or cloned.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Literal, Self, TypeAlias

from server.adaptation.adaptation_state import AdaptationState
from server.adaptation.repository_objects import holds_object
from server.backends.model_store import resolve_model_name
from server.settings import Settings
from server.user_folders import find_data_folder
from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.foreign_text import as_object, read_json
from training.foundation.work_trees import find_work_tree

MODELS_FOLDER = "models"
RECORD_FILE = "workspace.json"
BASES_FILE = "bases.json"
ARTIFACTS_FOLDER = "artifacts"
WORK_FOLDER = "work"
RESULT_FILE, PAGE_FILE = "result.json", "report.html"
FORMAT = 1
Served: TypeAlias = Literal["adapted", "base"]
_NAME = re.compile(r"[\w.-]+-[0-9a-f]{8}")
_VERSION = re.compile(r"\d{4}")
# Opened to look something up, by an editor that follows a definition. On Windows, an installation
# of Python has its library in "Lib"; its folder's name is that of python.org, the Store or uv.
_LIBRARY = re.compile(
    r"/((site|dist)-packages|lib\d*/(python|pypy)3\.\d+t?|typeshed[\w-]*"
    r"|([Pp]ython\d+|PythonSoftwareFoundation[\w.]+|cpython-3[\w.+-]+)/[Ll]ib)(/|$)"
)
_MAX_NAME_CHARS = 40
_MAX_RECORD_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class WorkspaceRecord:
    """Whom an adapted model belongs to, and whether it is used.

    Attributes:
        path: The folder, when it was last adapted.
        root_commit: The first commit of its repository; empty without one.
        subfolder: The folder within the repository, empty for all of it.
        base: The setting ``model`` from which the artifact in use was made; without one, from which
            the newest adaptation began.
        served: Which of the two models suggests there.
        version: The artifact in use; empty if there is none yet.
        created: When, in seconds since 1970.
    """

    format: int = FORMAT
    path: str
    root_commit: str = ""
    subfolder: str = ""
    base: str = ""
    served: Served = "adapted"
    version: str = ""
    created: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AdaptedModel:
    """An adapted model, or one that is being made."""

    folder: Path
    record: WorkspaceRecord

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Returns what a folder holds; None if that cannot be read."""
        try:
            values = as_object(read_json(folder / RECORD_FILE, max_bytes=_MAX_RECORD_BYTES))
            record = from_mapping(WorkspaceRecord, values, where=str(folder))
        except (OSError, ValueError, ConfigError):
            return None
        return cls(folder=folder, record=record) if record.format == FORMAT else None

    @property
    def name(self) -> str:
        """The name under which commands know it."""
        return self.folder.name

    @property
    def artifact(self) -> Path | None:
        """The folder of its newest artifact that was better; None if there is none."""
        if not _VERSION.fullmatch(self.record.version):
            return None
        found = self.folder / ARTIFACTS_FOLDER / self.record.version
        try:
            return found if found.is_dir() else None
        except OSError:
            return None

    @property
    def versions(self) -> list[str]:
        """Its finished artifacts, the oldest first."""
        folder = self.folder / ARTIFACTS_FOLDER
        names = (f.name for f in folder.iterdir()) if folder.is_dir() else ()
        return sorted(name for name in names if _VERSION.fullmatch(name))

    @property
    def page(self) -> Path | None:
        """The report on what the newest adaptation brought."""
        found = self.folder / PAGE_FILE
        return found if found.is_file() else None

    @property
    def sentence(self) -> str:
        """What the newest adaptation brought; empty if none has ended."""
        try:
            values = as_object(read_json(self.folder / RESULT_FILE, max_bytes=1 << 22))
            return str(values.get("sentence", ""))
        except (OSError, ValueError):
            return ""

    @property
    def n_bytes(self) -> int:
        """What it takes on the disk."""
        n_bytes = 0
        for folder, _, names in os.walk(self.folder):  # which passes over what is gone meanwhile
            for name in names:
                with contextlib.suppress(OSError):
                    n_bytes += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
        return n_bytes

    @property
    def bases(self) -> dict[str, str]:
        """The settings ``model`` from which its artifacts were made, by version, where known."""
        try:
            values = as_object(read_json(self.folder / BASES_FILE, max_bytes=_MAX_RECORD_BYTES))
        except (OSError, ValueError):
            values = {}
        found = {version: base for version, base in values.items() if isinstance(base, str)}
        own = {self.record.version: self.record.base} if self.record.version else {}
        return own | found

    def use_version(self, version: str, base: str) -> "AdaptedModel":
        """Puts an artifact in use, which was made from ``base``; remembers that of the others."""
        bases = {**self.reread().bases, version: base}
        kept = {one: bases[one] for one in self.versions if one in bases}
        write_json_atomically(self.folder / BASES_FILE, kept)
        return self.update(version=version, base=base, served="adapted")

    def reread(self) -> "AdaptedModel":
        """Returns the model with its record as it is now: another process may have changed it."""
        return type(self).read(self.folder) or self

    def update(self, **changes: object) -> "AdaptedModel":
        """Changes the record as it is now, and returns the model with it."""
        now = self.reread().record if changes else self.record
        record = dataclasses.replace(now, **changes)  # type: ignore[arg-type]
        write_json_atomically(self.folder / RECORD_FILE, to_mapping(record))
        return dataclasses.replace(self, record=record)

    def to_json(self) -> dict[str, object]:
        """Returns what editors show of it."""
        return {
            "name": self.name,
            **to_mapping(self.record),
            "artifact": None if self.artifact is None else str(self.artifact),
            "versions": self.versions,
            "sentence": self.sentence,
            "page": None if self.page is None else str(self.page),
            "n_bytes": self.n_bytes,
        }


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Which adapted model suggests in a workspace.

    Attributes:
        model: None if none was adapted to its folders, or another is wanted.
        withheld: Those that suggest in some of the folders, but not in all: what a model may repeat
            of one project has no place in another, and one model suggests everywhere.
    """

    model: AdaptedModel | None = None
    withheld: tuple[AdaptedModel, ...] = ()


def find_models_folder() -> Path:
    """Returns the folder of all adapted models.

    Raises:
        PrerequisiteError: The user has no place for data.
    """
    data = find_data_folder()
    if data is None:
        raise PrerequisiteError(
            "there is no home folder, where an adapted model would be kept; set HOME or"
            " XDG_DATA_HOME"
        )
    return data / MODELS_FOLDER


def list_models() -> list[AdaptedModel]:
    """Returns all adapted models by name."""
    try:
        folders = sorted(find_models_folder().iterdir())
    except (OSError, PrerequisiteError):
        return []
    found = (AdaptedModel.read(folder) for folder in folders if _NAME.fullmatch(folder.name))
    return [model for model in found if model is not None]


def get_model(name: str) -> AdaptedModel:
    """Returns the adapted model of a name.

    Raises:
        ConfigError: There is none.
    """
    models = {model.name: model for model in list_models()}
    if name in models:
        return models[name]
    known = ", ".join(models) or "none so far"
    raise ConfigError(f"there is no adapted model '{name}'; there are: {known}")


def find_model(folder: Path) -> AdaptedModel | None:
    """Returns the adapted model of a workspace, the nearest if there are several.

    None if there is none, and for a folder that cannot be looked at: on a disk that is gone, say.
    """
    try:
        return _find_nearest(folder, list_models())
    except (OSError, RuntimeError):  # a RuntimeError is a loop of links
        return None


def _find_nearest(folder: Path, models: Sequence[AdaptedModel]) -> AdaptedModel | None:
    if not models:  # as for most users: nothing of the workspace is looked at
        return None
    folder = folder.resolve()
    repository = find_work_tree(folder)
    matches = [
        (depth, model)
        for model in models
        if (depth := _match(model.record, folder, repository)) is not None
    ]
    return max(matches, key=lambda match: match[0])[1] if matches else None


def create_model(folder: Path, base: str) -> AdaptedModel:
    """Returns the adapted model of a workspace, a new one if there is none."""
    folder = folder.resolve()
    found = find_model(folder)
    if found is not None and _is_same_folder(found.record, folder):
        return found
    home = find_models_folder()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = _find_free_folder(home, folder)
    target.mkdir(exist_ok=True, mode=0o700)
    record = WorkspaceRecord(path=str(folder), base=base, created=time.time())
    return AdaptedModel(folder=target, record=record).update()


def _find_free_folder(home: Path, folder: Path) -> Path:
    """Returns where the model of a workspace goes.

    The model of a repository that was at the same path before keeps its own folder.
    """
    slug = re.sub(r"[^\w.-]+", "-", folder.name, flags=re.ASCII).strip("-.") or "workspace"
    key = str(folder)
    while True:
        digits = sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        target = home / f"{slug[:_MAX_NAME_CHARS]}-{digits}"
        if AdaptedModel.read(target) is None:
            return target
        key += "/"  # which no path ends with


def find_model_for(roots: Sequence[Path], settings: Settings) -> Path | None:
    """Returns the artifact that suggests in a workspace instead of the settings' own model.

    None if none was adapted, another is wanted, or the workspace has folders of other projects.
    """
    model = choose_model_for(roots, settings).model
    return None if model is None else model.artifact


def choose_model_for(roots: Sequence[Path], settings: Settings) -> ModelChoice:
    """Returns which adapted model suggests in a workspace, if any.

    Folders of installed packages do not count, nor those that are gone or cannot be looked at.
    """
    if settings.remote.url or not settings.adaptation.use_model:
        return ModelChoice()
    models, wanted = list_models(), resolve_model_name(settings.model)
    if not models:  # as for most users: nothing of the workspace is looked at
        return ModelChoice()
    found: dict[str, AdaptedModel | None] = {}
    for root in [root for root in roots if not _LIBRARY.search(root.as_posix())] or roots:
        try:
            if not root.is_dir():
                continue
            model = _find_nearest(root, models)
        except (OSError, RuntimeError):
            continue
        if model is not None and (
            model.record.served != "adapted"
            or resolve_model_name(model.record.base) != wanted
            or model.artifact is None
        ):
            model = None
        found["" if model is None else model.name] = model
    suggesting = tuple(model for model in found.values() if model is not None)
    if len(found) > 1:
        return ModelChoice(withheld=suggesting)
    return ModelChoice(model=suggesting[0] if suggesting else None)


def choose_model(name: str, served: Served) -> AdaptedModel:
    """Chooses which model suggests in a workspace: the adapted one, or that of the settings.

    Raises:
        ConfigError: There is no such model.
    """
    return get_model(name).update(served=served)


def remove_model(name: str) -> None:
    """Removes an adapted model with all that belongs to it; ends its adaptation if one runs.

    Raises:
        ConfigError: There is no such model.
    """
    model = get_model(name)
    state = AdaptationState.read(model.folder)
    if state is not None and state.is_unfinished:  # then its process is there
        state.kill_process()
    shutil.rmtree(model.folder)


def _match(record: WorkspaceRecord, folder: Path, repository: Path | None) -> int | None:
    """Returns how near a model's folder is to a workspace; None if it is another's."""
    if not record.root_commit:
        owner = Path(record.path)
        return len(owner.parts) if folder.is_relative_to(owner) else None
    if repository is None or not holds_object(repository, record.root_commit):
        return None
    owner = repository / PurePosixPath(record.subfolder)
    return len(owner.parts) if folder.is_relative_to(owner) else None


def _is_same_folder(record: WorkspaceRecord, folder: Path) -> bool:
    repository = find_work_tree(folder)
    if record.root_commit and repository is not None:
        return repository / PurePosixPath(record.subfolder) == folder
    return Path(record.path) == folder
