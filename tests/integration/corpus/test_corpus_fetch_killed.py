"""Fetching a lock over a bad connection: killed half-way, started again."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from training.corpus.fetching.package_index import ASIDE_PREFIX

pytestmark = pytest.mark.integration

NAMES = [f"package{i}" for i in range(8)]
STUCK = NAMES[5]
PROGRAM = """
import sys
from pathlib import Path
from training.corpus.fetching.archive_fetcher import ArchiveFetcher
from training.corpus.fetching.lock_file import read_lock

print(len(ArchiveFetcher(Path(sys.argv[2])).fetch_all(read_lock(Path(sys.argv[1])))))
"""


def data_of(name):
    return name.encode() * 1000


def sha256_of(name):
    return hashlib.sha256(data_of(name)).hexdigest()


@pytest.fixture
def mirror():
    """Serves the archives; half of the one that is stuck, until it is released."""
    released = threading.Event()
    fetched = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            _, place, name, *_ = self.path.split("/")
            if place == "simple":
                link = f"/files/{name}/{name}-1.0.tar.gz#sha256={sha256_of(name)}"
                self.reply(f'<a href="{link}">x</a>'.encode(), "text/html")
            else:
                fetched.append(name)
                self.reply(data_of(name), "application/gzip", pause=name == STUCK)

        def reply(self, data, kind, *, pause=False):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            if pause:
                released.wait(60)
            self.wfile.write(data[len(data) // 2 :])

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/simple", fetched, released
    released.set()
    server.shutdown()
    server.server_close()


def test_a_killed_fetch_resumes(tmp_path, mirror):
    """If it fails, a bad line means 500 archives from the start again, or half of one is read."""
    url, fetched, released = mirror
    lock, cache = tmp_path / "my.lock", tmp_path / "cache"
    lock.write_text("".join(f"{n}==1.0 --hash=sha256:{sha256_of(n)}\n" for n in NAMES))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environment |= {"PIP_INDEX_URL": url, "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, "-c", PROGRAM, str(lock), str(cache)]

    first = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while STUCK not in fetched:
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    released.set()
    before = NAMES[: NAMES.index(STUCK)]
    whole = {path.name for path in cache.iterdir() if not path.name.startswith(ASIDE_PREFIX)}
    assert whole == {sha256_of(name) for name in before}

    fetched.clear()
    second = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert json.loads(second.stdout) == len(NAMES)
    assert fetched == NAMES[NAMES.index(STUCK) :]
    for name in NAMES:
        assert (cache / sha256_of(name)).read_bytes() == data_of(name)
    assert f"{len(NAMES)}/{len(NAMES)}" in second.stderr
