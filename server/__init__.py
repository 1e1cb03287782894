"""Serves a trained model's completions as ghost text over the Language Server Protocol."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("parrotlet")
except PackageNotFoundError:  # run from a checkout that is not installed
    VERSION = "0"
