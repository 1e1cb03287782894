"""Files of records, and plans of streams over them, small enough for many tests."""

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path

from training.config import FimConfig, ShardsConfig, StreamConfig
from training.corpus.config import CorpusConfig
from training.stream.lane import Lane, StreamPlan
from training.stream.lane_state import start_state
from training.stream.stream_files import list_stream_files, slice_files

STAGES = CorpusConfig(out=Path("nowhere"), licences=("MIT",), decontaminate=())
SHARDS = ShardsConfig(block_tokens=64, min_characters_per_token=0.5, fim=FimConfig(rate=0.5))


def make_text(number):
    """Returns a module of about 300 bytes that no other number has."""
    chance = random.Random(number)
    lines = [f"value_{number}_{i} = {chance.randrange(1000)}  # of {number}" for i in range(12)]
    return "\n".join(lines[: chance.randint(10, 12)]) + "\n"


def make_records(numbers, **changes):
    return [
        {
            "repo_name": f"owner/repo{n % 50}",
            "path": f"pkg/m{n}.py",
            "license": "mit",
            "content": make_text(n),
            **changes,
        }
        for n in numbers
    ]


def write_lines(path, records):
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def make_plan(tokenizer_file, *files, n_lanes=4, **changes):
    config = StreamConfig(files=tuple(map(str, files)))
    plan = StreamPlan(
        slices=tuple(slice_files(list_stream_files(config).train, n_lanes)),
        n_lanes=n_lanes,
        seed=1,
        tokenizer_file=tokenizer_file,
        shards=SHARDS,
        stages=STAGES,
        heldout_share=0.0,
        shuffle_documents=8,
        shuffle_blocks=10,
        seen_documents=1000,
    )
    return replace(plan, **changes)


def open_lane(plan, lane=0, state=None):
    return Lane(plan, state or start_state(lane), plan.open_stages())
