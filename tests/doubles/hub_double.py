"""A double of the Hugging Face Hub's HTTP API on the loopback, in memory, that can fail on demand.

``huggingface_hub``, ``datasets`` and ``transformers`` talk to it as to the Hub, in a process of
their own with the environment that :meth:`HubDouble.environment` returns: they read it at import.
"""

import base64
import json
import os
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from doubles.hub_store import DATE, LARGE_FILES, File, Repository

TOKEN = "hf_right"
HUNG_UP, LOST = 0, -1  # instead of a status: the request is not read, or its answer gets lost
_RESOLVE = re.compile(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_BATCH = re.compile(r"/(?:datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch")
_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/([^/]+)(?:/(.*))?)?")


class HubDouble:
    """The server, and what a test may look at or break.

    Attributes:
        repositories: By kind ("model", "dataset") and name.
        created: The bodies of all requests to make a repository.
        uploads: How many large files were received.
        refuses: Asked before each request (method, path): a status to answer instead, or None;
            HUNG_UP and LOST break the connection.
    """

    def __init__(self):
        self.repositories, self.blobs, self.created, self.requests = {}, {}, [], []
        self.uploads = 0
        self.refuses = lambda _method, _path: None
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.double = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add_model(self, name, files):
        """Puts a public repository there: contents by path."""
        repository = Repository(name, "model", private=False)
        tree = {p: File.of(c, is_large=p.endswith(LARGE_FILES)) for p, c in files.items()}
        self.blobs |= {tree[path].key: content for path, content in files.items()}
        main = repository.refs["refs/heads/main"]
        repository.refs["refs/heads/main"] = repository.add(main, "files", tree)
        self.repositories["model", name] = repository

    def model(self, name):
        return self.repositories["model", name]

    def dataset(self, name):
        return self.repositories["dataset", name]

    def content(self, repository, path, revision="main"):
        return self.blobs[repository.find(revision).tree[path].key]

    def environment(self, home, token=TOKEN):
        """Returns the environment of a process that takes this for the Hub."""
        names = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        return {
            **names,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    @contextmanager
    def failing(self, refuses):
        """Breaks the server for the time of the block."""
        self.refuses = refuses
        try:
            yield
        finally:
            self.refuses = lambda _method, _path: None


def every_other(status):
    """Refuses the first request, the third, and so on."""
    numbers = iter(range(1 << 30))
    return lambda _method, _path: None if next(numbers) % 2 else status


class _Server(ThreadingHTTPServer):
    double: HubDouble


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        pass

    def _handle(self):
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.data = self._body()
        self.is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        with self.double.lock:
            self.double.requests.append(f"{self.command} {url.path}")
            status = self.double.refuses(self.command, url.path)
            self.is_answered = status != LOST
            if status == HUNG_UP:
                self.close_connection = True
            elif status is not None and status > 0:
                self._send({"error": "planted"}, status)
            else:
                self._route(url.path)

    do_GET = do_POST = do_PUT = do_HEAD = _handle  # noqa: N815 - the library's names

    @property
    def double(self):
        return self.server.double

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, value=None, status=200, *, body=None, headers=()):
        if not self.is_answered:
            self.close_connection = True
            return
        body = json.dumps(value).encode() if body is None else body
        self.send_response(status)
        fields = {"Content-Type": "application/json", "Content-Length": len(body)}
        for name, field in (fields | dict(headers)).items():
            self.send_header(name, str(field))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status, code, message):
        self._send(
            {"error": message}, status, headers={"X-Error-Code": code, "X-Error-Message": message}
        )

    def _route(self, path):
        if path == "/api/validate-yaml":
            self._send({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(self.data))
        elif path.startswith("/large/"):
            self._large(path.removeprefix("/large/"))
        elif match := _BATCH.fullmatch(path):
            self._batch(json.loads(self.data)["objects"])
        elif match := _RESOLVE.fullmatch(path):
            repository = self._repository((match[1] or "models")[:-1], match[2])
            if repository:
                self._resolve(repository, unquote(match[3]), unquote(match[4]))
        elif match := _API.fullmatch(path):
            repository = self._repository(match[1][:-1], match[2])
            verb = (match[3] or "revision").replace("-", "_")
            if repository:
                getattr(self, f"_on_{verb}")(repository, unquote(match[4] or "main"))
        else:
            self._refuse(404, "EntryNotFound", f"no route {path}")

    def _create(self, body):
        if not self.is_known:
            return self._refuse(401, "Unauthorized", "Invalid username or password.")
        self.double.created.append(body)
        key = body.get("type") or "model", f"{body['organization']}/{body['name']}"
        prefix = "" if key[0] == "model" else f"{key[0]}s/"
        answer = {"url": f"{self.double.url}/{prefix}{key[1]}"}
        if key in self.double.repositories:
            return self._send(answer, 409)
        private = body.get("visibility") == "private"
        self.double.repositories[key] = Repository(key[1], key[0], private)
        return self._send(answer)

    def _repository(self, kind, name):
        found = self.double.repositories.get((kind, name))
        if found is None or (found.private and not self.is_known):
            self._refuse(404 if self.is_known else 401, "RepoNotFound", "Repository not found")
            return None
        return found

    def _large(self, sha256):
        self.double.uploads += 1
        if File.of(self.data, is_large=True).sha256 != sha256:  # cut off
            return self._refuse(400, "BadRequest", "Another content than announced")
        self.double.blobs[sha256] = self.data
        return self._send(body=b"")

    def _batch(self, objects):
        answers = []
        for wanted in objects:
            answer = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.double.blobs:
                upload = {"href": f"{self.double.url}/large/{wanted['oid']}", "header": {}}
                answer["actions"] = {"upload": upload}
            answers.append(answer)
        self._send({"transfer": "basic", "objects": answers})

    def _resolve(self, repository, revision, path):
        commit = repository.find(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        file = commit.tree.get(path)
        if file is None:
            return self._refuse(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.key}"', "Accept-Ranges": "bytes"}
        body, wanted = self.double.blobs[file.key], self.headers.get("Range")
        if wanted is None:
            return self._send(body=body, headers=headers)
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
        part = body[int(first) : int(last or len(body)) + 1]
        headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"
        return self._send(body=part, status=206, headers=headers)

    def _on_branch(self, repository, branch):
        if repository.ref(branch):
            return self._refuse(409, "Conflict", "Reference already exists")
        repository.refs[f"refs/heads/{branch}"] = repository.find("main").oid
        return self._send({}, 201)

    def _on_revision(self, repository, revision):
        commit = repository.find(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        siblings = [{"rfilename": path} for path in sorted(commit.tree)]
        about = {"id": repository.name, "sha": commit.oid, "private": repository.private}
        return self._send({**about, "lastModified": DATE, "tags": [], "siblings": siblings})

    def _on_preupload(self, repository, revision):
        tree, files = repository.find(revision).tree, []
        for file in json.loads(self.data)["files"]:
            mode = "lfs" if file["path"].endswith(LARGE_FILES) else "regular"
            there = tree.get(file["path"])
            about = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
            files.append({**about, "oid": there and there.key})
        self._send({"files": files})

    def _on_commit(self, repository, revision):
        if not self.is_known:
            return self._refuse(403, "Forbidden", "no write access")
        lines = [json.loads(line) for line in self.data.splitlines() if line.strip()]
        header, head = lines[0]["value"], repository.find(revision)
        if header.get("parentCommit", head.oid) != head.oid:
            return self._refuse(412, "PreconditionFailed", "A commit has happened since")
        tree = dict(head.tree)
        for line in lines[1:]:
            self._apply(tree, line["key"], line["value"])
        address = None
        if self.query.get("create_pr"):
            number = repository.open_request(header["summary"], tree).number
            address = f"{self.double.url}/{repository.name}/discussions/{number}"
            oid = repository.refs[f"refs/pr/{number}"]
        else:
            oid = repository.add(head.oid, header["summary"], tree)
            repository.refs[repository.ref(revision)] = oid
        url = f"{self.double.url}/{repository.name}/commit/{oid}"
        return self._send({"commitOid": oid, "commitUrl": url, "pullRequestUrl": address})

    def _apply(self, tree, key, value):
        path = value["path"]
        if key == "deletedFile":
            del tree[path]
        elif key == "lfsFile":
            tree[path] = File.of(self.double.blobs[value["oid"]], is_large=True)
        else:
            content = base64.b64decode(value["content"])
            tree[path] = File.of(content, is_large=False)
            self.double.blobs[tree[path].oid] = content

    def _on_discussions(self, repository, rest):
        if self.command == "POST":
            repository.merge(int(rest.split("/")[0]))
            return self._send({})
        shown = [
            {
                "num": request.number,
                "title": request.title,
                "status": request.status,
                "author": {"name": "tester"},
                "isPullRequest": True,
                "createdAt": DATE,
                "repo": {"name": repository.name, "type": repository.kind},
            }
            for request in repository.requests.values()
            if request.status in self.query.get("status", [request.status])
        ]
        return self._send({"discussions": shown, "count": len(shown), "start": 0})

    def _on_tree(self, repository, rest):
        revision, _, folder = rest.partition("/")
        commit = repository.find(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        is_recursive = self.query.get("recursive", ["false"])[0].lower() == "true"
        inside, entries = f"{folder}/" if folder else "", {}
        for path in sorted(p for p in commit.tree if p.startswith(inside)):
            name = path.removeprefix(inside).split("/")[0]
            if inside + name != path:
                entry = {"type": "directory", "path": inside + name, "size": 0, "oid": "0" * 40}
                entries[entry["path"]] = entry
            if is_recursive or inside + name == path:
                entries[path] = _entry(path, commit.tree[path])
        if folder and not entries:
            return self._refuse(404, "EntryNotFound", f"{folder} does not exist")
        return self._send(list(entries.values()))

    def _on_paths_info(self, repository, revision):
        tree = repository.find(revision).tree
        try:
            paths = json.loads(self.data)["paths"]
        except ValueError:
            paths = parse_qs(self.data.decode())["paths"]
        self._send([_entry(path, tree[path]) for path in paths if path in tree])

    def _on_commits(self, repository, revision):
        self._send([
            {"id": c.oid, "title": c.title, "message": "", "authors": [], "date": DATE}
            for c in repository.history(revision)
        ])  # fmt: skip


def _entry(path, file):
    entry = {"type": "file", "path": path, "size": file.size, "oid": file.oid}
    if file.sha256:
        large = {"oid": file.sha256, "sha256": file.sha256, "size": file.size, "pointerSize": 130}
        entry["lfs"] = large
    return entry
