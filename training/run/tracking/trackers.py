"""Trackers of a run, several at once: TensorBoard, Weights & Biases, trackio, MLflow.

They are Accelerate's. This module gives them one project and run name, records the config once, and
continues the same run after an interruption: ``RUN/tracking.json`` keeps what each service calls
it. With ``tracking.offline`` nothing leaves the machine, whatever a service does by default.
Called by :mod:`training.run.run_log`.
"""

import contextlib
import importlib.util
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from training.config import RunConfig
from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import ConfigError, ParrotletError, PrerequisiteError
from training.foundation.extras import DISTRIBUTION
from training.foundation.foreign_text import as_object, read_json
from training.foundation.privacy.local_folders import strip_folders

RECORD_FILE = "tracking.json"
TENSORBOARD_FOLDER = "logs"  # in the run's folder
MLFLOW_FOLDER = "mlruns"
_EXTRAS = {"tensorboard": "train"}  # the others have an extra of their name
_TAKES_TEXT = {"tensorboard", "wandb", "trackio"}


def check_trackers(config: RunConfig) -> None:
    """Refuses trackers that are not installed, before any work is done.

    Raises:
        ConfigError: Names the tracker and how to install it.
    """
    for name in config.pretrain.tracker_names:
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"pretrain.tracker is {name!r}, which is not installed; run: pip install"
                f" '{DISTRIBUTION}[{_EXTRAS.get(name, name)}]', or set pretrain.tracker=none"
            )


def start_trackers(config: RunConfig, step: int, accelerator: Any) -> None:
    """Starts the run's trackers and adds them to Accelerate's, which ends them.

    Args:
        config: Names the trackers, the project and the run.
        step: How many steps are done; 0 records the config.
        accelerator: Accelerate's, of this process.

    Raises:
        PrerequisiteError: A service refuses it: nobody is logged in, say.
    """
    if not accelerator.is_main_process:
        return
    run = config.paths.run
    record = _read_record(run)
    for name in config.pretrain.tracker_names:
        tracker = _make_tracker(name, config, step, record)
        with _explain_errors(name):
            tracker.start()
        if name == "mlflow":
            record = {**record, "mlflow": str(tracker.tracker.info.run_id)}
        if step == 0:
            tracker.store_init_configuration(flatten_config(config))
        accelerator.trackers.append(tracker)
    write_json_atomically(run / RECORD_FILE, record)


@contextlib.contextmanager
def _explain_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ParrotletError):
        raise
    except Exception as error:  # of libraries that have nothing else in common
        raise PrerequisiteError(
            f"the tracker {name} does not start ({error}); log in to it, or set"
            " pretrain.tracker=none or tracking.offline=true"
        ) from error


def track(accelerator: Any, values: Mapping[str, float | str], step: int) -> None:
    """Sends values to all trackers; texts only to those that take them."""
    numbers = {name: v for name, v in values.items() if not isinstance(v, str)}
    for tracker in accelerator.trackers:
        taken = values if tracker.name in _TAKES_TEXT else numbers
        if taken:
            tracker.log(dict(taken), step=step)


def flatten_config(config: Any, prefix: str = "") -> dict[str, bool | float | str]:
    """Returns a config as one level of dotted keys; of paths and their patterns, the last name.

    So nothing about this machine's folders is published.
    """
    found: dict[str, bool | float | str] = {}
    for name, value in vars(config).items():
        if hasattr(value, "__dataclass_fields__"):
            found |= flatten_config(value, f"{prefix}{name}.")
        elif isinstance(value, (bool, int, float, str)):
            found[f"{prefix}{name}"] = strip_folders(value)
        elif isinstance(value, Path):
            found[f"{prefix}{name}"] = value.name
        elif value is not None:
            found[f"{prefix}{name}"] = str(strip_folders(value))
    return found


def _make_tracker(name: str, config: RunConfig, step: int, record: dict[str, str]) -> Any:
    from accelerate import tracking  # noqa: PLC0415 - not needed by other readers of a run

    run, settings = config.paths.run, config.tracking
    title = settings.run_name or config.name
    if name == "tensorboard":
        hide_repeated = {"purge_step": step + 1} if step else {}
        return tracking.TensorBoardTracker(TENSORBOARD_FOLDER, run, **hide_repeated)
    if name == "wandb":
        mode = {"mode": "offline"} if settings.offline else {}
        options = {"id": record["id"], "resume": "allow", "dir": str(run), **mode}
        return tracking.WandBTracker(settings.project, name=title, **options)
    if name == "trackio":
        title = f"{title}-{record['id']}"  # a name is all that it knows a run by
        return tracking.TrackioTracker(settings.project, name=title, resume="allow")
    _keep_mlflow_local(run, offline=settings.offline)
    return tracking.MLflowTracker(settings.project, run_name=title, run_id=record.get("mlflow"))


def _keep_mlflow_local(run: Path, *, offline: bool) -> None:
    """Lets MLflow write to the run's folder, unless a server is set and may be used."""
    if offline or "MLFLOW_TRACKING_URI" not in os.environ:
        os.environ["MLFLOW_TRACKING_URI"] = (run.absolute() / MLFLOW_FOLDER).as_uri()
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # the small package has no other


def _read_record(run: Path) -> dict[str, str]:
    """Returns what the services call this run; a new name if nothing is recorded."""
    try:
        known = as_object(read_json(run / RECORD_FILE))
    except (OSError, ValueError):
        known = {}
    record = {key: v for key, v in known.items() if isinstance(v, str)}
    return {"id": secrets.token_hex(4), **record}
