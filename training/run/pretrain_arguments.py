"""The command-line arguments of ``training.launch`` and ``training/pretrain.py``."""

import argparse
import sys

from training.command_line import add_config_arguments
from training.foundation.command_parser import command_parser

_PURPOSE = """\
Pretrain a model on prepared shards, or resume an interrupted run.

Writes to paths.run: checkpoints, metrics.jsonl, report.html, and the finished model in RUN/model.
Serve the model with: parrotlet-server --model RUN/model"""
_EXAMPLE = """\
{prog} default.toml
{prog} default.toml size=17M budget=2h
{prog} default.toml pretrain.steps=500 pretrain.tracker=none"""


def pretrain_parser(module: str) -> argparse.ArgumentParser:
    """Returns a parser of the config and its overrides."""
    parser = command_parser(module, _PURPOSE, example=_EXAMPLE)
    add_config_arguments(parser, "training/config.py")
    return parser


def script_parser() -> argparse.ArgumentParser:
    """Returns the parser of ``training/pretrain.py``, which a launcher runs."""
    parser = pretrain_parser("training.pretrain")
    parser.prog = f"accelerate launch {sys.argv[0]}"
    parser.epilog = f"example:\n  accelerate launch {sys.argv[0]} training/configs/default.toml"
    return parser
