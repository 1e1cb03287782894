"""A build backend for a stand-in of Parrotlet, whose server runs the real one.

Installing the real package takes a minute and a network; the extension does the same. Tests copy
this file next to a ``pyproject.toml`` that names it, with ``SERVER`` set to the real server, or use
it to build a wheel.
"""

import base64
import hashlib
import time
import zipfile
from pathlib import Path

SERVER = ""
DELAY_S = 0  # of a build
N_PADDING = 0  # bytes that make a wheel large
NAME = "parrotlet-0.0.0"
MODULE = """
import os, sys

def main():
    os.execv({server!r}, [{server!r}, *sys.argv[1:]])
"""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    time.sleep(DELAY_S)
    about = f"{NAME}.dist-info"
    contents = {
        "stand_in.py": MODULE.format(server=SERVER),
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: parrotlet\nVersion: 0.0.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\nparrotlet-server = stand_in:main\n",
    }
    if N_PADDING:
        contents["stand_in_padding.py"] = "#" * N_PADDING
    lines = [f"{name},{_digest(text)},{len(text)}" for name, text in contents.items()]
    contents[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,"]) + "\n"
    wheel = f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return wheel


def _digest(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
