"""Stars and downloads from services that limit, fail, move and lie, from a real server."""

import csv
import json
import re
import threading
import time
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from training.corpus.config import QualityConfig, QualityRule
from training.corpus.popularity import json_service
from training.corpus.popularity.__main__ import main
from training.corpus.popularity.json_service import JsonService, RateLimitError, find_wait
from training.corpus.quality import QualityRules
from training.foundation.errors import ConfigError, CorpusError

STARS = {"django/django": 70_000, "Me/My_Tool.py": 3, "old/name": 9}
DOWNLOADS = {"numpy": 200_000_000, "my-tool": 12}


class Services(ThreadingHTTPServer):
    """GitHub's and PyPI Stats' interfaces.

    Attributes:
        faults: Of the next answers: status, headers and content; None for none.
        asked: The requests, with what authorised them.
        sizes: How many repositories each GraphQL query asked for.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.asked, self.sizes = [], [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Services

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault is not None:
            return self.send(*fault)
        name = self.path.removeprefix("/repos/")
        if name in STARS:
            return self.send(200, {}, json.dumps({"stargazers_count": STARS[name]}))
        package = re.fullmatch(r"/packages/([^/]+)/recent\?period=month", self.path)
        if package and package[1] in DOWNLOADS:
            return self.send(200, {}, json.dumps({"data": {"last_month": DOWNLOADS[package[1]]}}))
        return self.send(404, {}, "{}")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        asked = re.findall(
            r'(r\d+): repository\(owner: "([^"]+)", name: "([^"]+)"\)', body["query"]
        )
        self.server.sizes.append(len(asked))
        data = {}
        for alias, owner, name in asked:
            stars = STARS.get(f"{owner}/{name}")
            data[alias] = None if stars is None else {"stargazerCount": stars}
        self.send(200, {}, json.dumps({"data": data, "errors": [{"type": "NOT_FOUND"}]}))

    def send(self, status, headers, content):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(content)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content.encode())


@pytest.fixture
def services(monkeypatch):
    server = Services()
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setattr(json_service, "_WAITS_S", (0.0, 0.0))
    yield server
    server.shutdown()
    server.server_close()


def look_up(services, out, *names, code=0, **more):
    words = [f"--{key.replace('_', '-')}={value}" for key, value in more.items()]
    urls = ["--github-url", services.url, "--statistics-url", services.url]
    assert main([*names, "--out", str(out), *urls, *words]) == code


def read_table(path):
    with path.open(newline="") as file:
        return {row["package"]: row for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.parametrize("token", [None, "ghp_right"])
def test_the_table_is_what_the_quality_rules_read(services, tmp_path, monkeypatch, token):
    """If it fails, well-known packages are not told from others."""
    if token:
        monkeypatch.setenv("GITHUB_TOKEN", token)
    out = tmp_path / "table.tsv"
    look_up(
        services, out, "django/django", "Me/My_Tool.py", "gone/away", "NumPy", "unknown-package"
    )
    rules = (
        QualityRule(level="high", min_stars=1000),
        QualityRule(level="mid", min_downloads=1000),
    )
    found = QualityRules.load(QualityConfig(table=out, rules=rules))
    names = ("django/django", "me/my-tool.py", "numpy", "unknown-package")
    assert [found.find_level(name, {}) for name in names] == ["high", "", "mid", ""]
    assert read_table(out)["Me/My_Tool.py"]["stars"] == "3"
    of_github = [token for path, token in services.asked if "/packages/" not in path]
    assert set(of_github) == {f"Bearer {token}" if token else None}
    assert {token for path, token in services.asked if "/packages/" in path} == {None}


def test_a_token_asks_for_a_hundred_at_once(services, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_right")
    names = tmp_path / "names.txt"
    names.write_text("# mine\n" + "".join(f"o/r{n}\n" for n in range(230)) + "django/django\n")
    look_up(services, tmp_path / "table.tsv", names=names)
    assert services.sizes == [100, 100, 31]
    assert list(read_table(tmp_path / "table.tsv")) == ["django/django"]


def test_a_second_run_asks_for_what_is_missing_or_old_alone(services, tmp_path):
    """If it fails, an interruption costs another hour of a rate limit."""
    out = tmp_path / "table.tsv"
    services.faults = [None, (500, {}, ""), (500, {}, ""), (500, {}, "")]
    with pytest.raises(CorpusError, match="answers with status 500"):
        look_up(services, out, "django/django", "old/name", "numpy")
    assert not out.exists()
    cache = tmp_path / "table.tsv.cache.jsonl"
    cache.write_bytes(cache.read_bytes() + b'{"fact": "stars", "name": "old/na')  # killed
    services.asked.clear()
    look_up(services, out, "django/django", "old/name", "numpy")
    assert [path.split("?")[0] for path, _ in services.asked] == [
        "/repos/old/name",
        "/packages/numpy/recent",
    ]
    services.asked.clear()
    look_up(services, out, "django/django", "old/name", "numpy", "gone/away")
    look_up(services, out, "gone/away")
    assert [path for path, _ in services.asked] == ["/repos/gone/away"]
    lines = [json.loads(line) for line in cache.read_text().splitlines() if line.endswith("}")]
    old = [{**line, "time": time.time() - 40 * 86_400} for line in lines]
    cache.write_text("".join(json.dumps(line) + "\n" for line in old))
    services.asked.clear()
    look_up(services, out, "old/name")
    assert len(services.asked) == 1
    assert read_table(out).keys() == {"django/django", "old/name", "numpy"}


def test_what_the_services_do_not_know_stays_in_the_table(services, tmp_path):
    out = tmp_path / "table.tsv"
    out.write_text("package\tstars\tdownloads\tdependents\nnumpy\t\t7\t90\nother\t\t\t5\n")
    look_up(services, out, "numpy")
    table = read_table(out)
    assert (table["numpy"]["downloads"], table["numpy"]["dependents"]) == ("200000000", "90")
    assert table["other"]["dependents"] == "5"
    out.write_text("something else\n")
    with pytest.raises(CorpusError, match="is not a table of ours"):
        look_up(services, out, "numpy")
    assert out.read_text() == "something else\n"


def test_a_rate_limit_is_waited_for_or_said(services):
    """If it fails, the service blocks the user, or the command stands still for hours unasked."""
    waited = []
    limited = (
        403,
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": round(time.time()) + 30},
        "",
    )
    services.faults = [limited, (429, {"Retry-After": "7"}, ""), None]
    service = JsonService(services.url, max_wait_s=60, wait=waited.append)
    assert service.ask("/repos/django/django") == {"stargazers_count": 70_000}
    assert 20 < waited[0] <= 31
    assert waited[1] == 7
    services.faults = [(429, {"Retry-After": "600"}, "")]
    with pytest.raises(RateLimitError, match="for 10 minutes; run the same command again"):
        service.ask("/repos/django/django")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ((403, {}, ""), "answers with status 403"),
        ((200, {}, "<html>"), "something else than JSON"),
        ((200, {}, "[" * 100_000), "something else than JSON"),
        ((301, {"Location": "http://127.0.0.1:1/repos/x/y"}, ""), "redirects elsewhere"),
    ],
)
def test_other_answers_are_one_sentence(services, tmp_path, fault, sentence):
    services.faults = [fault]
    with pytest.raises(CorpusError, match=sentence):
        look_up(services, tmp_path / "table.tsv", "django/django")


def test_a_repository_that_moved_is_followed_within_the_service(services, tmp_path):
    services.faults = [(301, {"Location": "/repos/django/django"}, "")]
    look_up(services, tmp_path / "table.tsv", "old/django")
    assert read_table(tmp_path / "table.tsv")["old/django"]["stars"] == "70000"


def test_a_token_is_never_sent_unencrypted():
    with pytest.raises(ConfigError, match="is not encrypted, so no token is sent there"):
        JsonService("http://example.org", max_wait_s=1, token="secret")
    with pytest.raises(ConfigError, match="is not the URL of a service"):
        JsonService("file:///etc/passwd", max_wait_s=1)


def test_what_a_service_asks_to_wait_is_understood():
    now = 1_000_000.0
    assert find_wait(headers("Retry-After: Mon, 12 Jan 1970 13:47:40 GMT"), now) == 60
    assert find_wait(headers("retry-after: soon"), now) == 60
    assert find_wait(headers("x-ratelimit-reset: 999\nx-ratelimit-remaining: 0"), now) == 1
    assert find_wait(headers(""), now) == 60


def headers(text):
    return message_from_string(text)
