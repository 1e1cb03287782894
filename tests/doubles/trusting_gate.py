"""A gate that trusts every match, for a model that knows nothing of the workspace's code."""

import json
import shutil

import numpy as np

from server.memory.gate import N_FEATURES, N_OUTPUTS, Gate
from training.artifact.directory import add_file
from training.artifact.manifest import MEMORY_FILE

TRUSTING = Gate(
    hidden=np.zeros((N_FEATURES, 1), np.float32),
    hidden_bias=np.zeros(1, np.float32),
    output=np.zeros((1, N_OUTPUTS), np.float32),
    output_bias=np.array([0.0, 8.0, 0.0], np.float32),
)


def copy_with_gate(artifact, model):
    """Copies an artifact to ``model`` and adds the gate; returns ``model``."""
    shutil.copytree(artifact, model)
    add_file(model, MEMORY_FILE, json.dumps(TRUSTING.to_json()).encode())
    return model
