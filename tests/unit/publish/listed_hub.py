"""A Hub that is a list of commits, and what waits to be sent to it."""

from training.publish.outbox import PublishTarget
from training.publish.publishable_files import link_artifact

TARGET = PublishTarget(repo="me/model", private=True, branch="run")


class FakeHub:
    """Keeps commits; fails as often as it is told, then succeeds."""

    def __init__(self, failures=()):
        self.failures, self.commits, self.merged, self.trees = list(failures), [], [], {"main": {}}

    def create(self, *, private):
        self.is_private = private

    def create_branch(self, branch):
        self.trees.setdefault(branch, dict(self.trees["main"]))

    def list_files(self, revision="main"):
        return self.trees[revision]

    def commit(self, files, *, message, revision="main", replaces=lambda _name: False):
        if self.failures:
            raise self.failures.pop(0)
        contents = {name: path.read_text() for name, path in files.items()}
        for name in [n for n in self.trees[revision] if n not in files and replaces(n)]:
            del self.trees[revision][name]
        if contents.items() - self.trees[revision].items():
            self.commits.append((revision, message))
            self.trees[revision] |= contents

    def merge(self, branch, *, excludes=lambda _name: False):
        self.merged.append(branch)
        self.trees["main"] |= {n: c for n, c in self.trees[branch].items() if not excludes(n)}


def checkpoint(folder, text="weights"):
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "training_state.safetensors"):
        (folder / name).write_text(f"{name} {text}")
    return folder


def queue(outbox, tmp_path, *steps, kind="checkpoint"):
    for step in steps:
        path = checkpoint(tmp_path / "checkpoints" / f"{kind}-{step}", text=str(step))
        outbox.add(kind, step, lambda folder, path=path: link_artifact(path, folder))
