"""An outbox in a run's folder, and a Hub to send it to."""

import pytest
from listed_hub import FakeHub

from training.publish.outbox import Outbox


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "run")


@pytest.fixture
def hub():
    hub = FakeHub()
    hub.create_branch("run")
    return hub
