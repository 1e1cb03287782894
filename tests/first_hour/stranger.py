"""A stranger's machine: a fresh clone, a home of its own, and nothing of this environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE_SERVER = ROOT / ".tools" / "code-server" / "run"
BLOCK_TIMEOUT_S = 900


def shell_blocks(readme):
    """The shell blocks of a document, in order."""
    return re.findall(
        r"^```sh\n(.*?)^```", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


class Stranger:
    """Somebody with a clone, a home and a shell."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.clone = folder / "parrotlet"
        self.home.mkdir()
        subprocess.run(["git", "clone", "--quiet", ROOT, self.clone], check=True)
        self.bin = folder / "bin"
        self.bin.mkdir()
        if CODE_SERVER.exists():
            (self.bin / "code").symlink_to(CODE_SERVER)

    def environment(self):
        ours = str(ROOT / ".venv")
        path = [p for p in os.environ["PATH"].split(os.pathsep) if not p.startswith(ours)]
        path = [str(self.clone / ".venv" / "bin"), str(self.bin), *path]
        dropped = ("PYTHON", "VIRTUAL_ENV", "XDG_", "HF_", "PARROTLET_", "OMP_", "TOKENIZERS_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        cache = subprocess.run(
            [sys.executable, "-m", "pip", "cache", "dir"],
            capture_output=True,
            text=True,
            check=False,
        )
        if cache.returncode == 0:
            kept["PIP_CACHE_DIR"] = cache.stdout.strip()
        return {**kept, "HOME": str(self.home), "PATH": os.pathsep.join(path)}

    def run(self, block, *, folder=None, **more):
        """Runs a block of shell as it stands; returns what it printed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder or self.clone,
            env={**self.environment(), **more},
            capture_output=True,
            text=True,
            timeout=BLOCK_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"$ {block}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
