"""When other files are read, and what becomes of what was found."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from lsprotocol import types

from server.lsp.documents.open_documents import OpenDocuments
from server.lsp.workspace_context import WorkspaceContext
from server.settings import ContextSettings, RemoteSettings, Settings
from server.workspace.snapshot import WorkspaceSnapshot

URI, TEXT = "file:///w/a.py", "x = 1\n" * 300
FAR = 200 * len("x = 1\n")


class Context:
    """A workspace context whose collector is replaced by ``look``."""

    def __init__(self, monkeypatch, look, settings=None):
        self.warnings, self.snapshots = [], []
        documents = OpenDocuments(lambda *_: None)
        documents.open({"uri": URI, "text": TEXT}, "utf-16")
        self.documents, self.indexed, self.shared = documents, [], []
        service = SimpleNamespace(
            update_workspace=self.snapshots.append,
            index_folders=self.indexed.append,
            update_document=lambda uri, text: self.shared.append((uri, text)),
            note_file_change=lambda: None,
            use_workspace_model=lambda _folder: None,
        )
        self.context = WorkspaceContext(documents, service, lambda _key, s: self.warnings.append(s))
        self.context.configure(settings or Settings())
        self.context.start(asyncio.get_running_loop())
        monkeypatch.setattr(self.context._collector, "collect", look)

    def refresh(self, offset):
        self.context.refresh(URI, TEXT, offset)

    async def settle(self):
        await asyncio.to_thread(int)  # behind the reading, in the only thread
        await asyncio.sleep(0)


async def test_other_files_are_read_by_one_thread_at_a_time(monkeypatch):
    """If it fails, a workspace on a dead disk fills the memory with readers that wait."""
    offsets, may_end = [], threading.Event()

    def look(_uri, _text, offset, _texts):
        offsets.append(offset)
        may_end.wait(10)
        return WorkspaceSnapshot(context_text=f"{offset}")

    context = Context(monkeypatch, look)
    for offset in (0, FAR // 2, FAR):
        context.refresh(offset)
    may_end.set()
    await context.settle()
    assert offsets == [0]
    assert context.snapshots == [WorkspaceSnapshot(context_text="0")]
    context.refresh(FAR)
    await context.settle()
    assert offsets == [0, FAR]


async def test_files_that_cannot_be_read_are_one_warning_and_no_obstacle(monkeypatch):
    """If it fails, one broken link ends suggestions that know other files."""
    attempts = []

    def look(*_):
        attempts.append(1)
        raise OSError("gone")

    context = Context(monkeypatch, look)
    context.refresh(0)
    await context.settle()
    context.refresh(FAR)
    await context.settle()
    assert len(attempts) == 2
    assert context.snapshots == []
    assert all("OSError" in warning for warning in context.warnings)


async def test_nothing_is_read_if_the_user_wants_none(monkeypatch):
    context = Context(
        monkeypatch,
        lambda *_: (_ for _ in ()).throw(AssertionError("read")),
        Settings(context=ContextSettings(workspace_tokens=0)),
    )
    context.refresh(0)
    await context.settle()
    assert context.snapshots == context.warnings == []


async def test_folders_come_and_go(monkeypatch):
    """If it fails, modules of a folder that was closed still reach the model."""
    context = Context(monkeypatch, lambda *_: WorkspaceSnapshot()).context
    context.add_folders(["file:///w", "untitled:x"])
    folders = [types.WorkspaceFolder(uri=f"file:///{name}", name=name) for name in ("v", "w")]
    context.change_folders(
        types.WorkspaceFoldersChangeEvent(added=[folders[0]], removed=[folders[1]])
    )
    assert [root.as_posix() for root in context._roots] == ["/v"]


FORGETS = Settings(context=ContextSettings(workspace_memory=False))


async def test_other_documents_are_shared_when_one_is_completed(monkeypatch):
    """If it fails, each key sends every open document, or a changed one is never sent."""
    context = Context(monkeypatch, lambda *_: WorkspaceSnapshot())
    for name in ("b.py", ".env"):
        context.documents.open({"uri": f"file:///w/{name}", "text": name}, "utf-16")
    for _ in range(2):
        context.context.share_documents(URI)
    assert context.shared == [("file:///w/b.py", "b.py")]
    context.context.share_documents("file:///w/b.py")
    assert context.shared[1:] == [(URI, TEXT)]
    context.documents.get("file:///w/b.py").replace("new")
    context.context.share_documents(URI)
    assert context.shared[2:] == [("file:///w/b.py", "new")]
    context.documents.close("file:///w/b.py")
    context.context.close_document("file:///w/b.py")
    assert context.shared[3:] == [("file:///w/b.py", None)]


async def test_of_many_documents_the_last_edited_stay_known(monkeypatch):
    """If it fails, with more than 32 open files the one that was just edited is not known."""
    context = Context(monkeypatch, lambda *_: WorkspaceSnapshot())
    uris = [f"file:///w/{number}.py" for number in range(5)]
    for uri in uris:
        context.documents.open({"uri": uri, "text": "x"}, "utf-16")
    context.context.share_documents(URI)
    assert [uri for uri, _ in context.shared] == uris


async def test_what_becomes_private_is_taken_back_at_once(monkeypatch):
    """If it fails, a file that was just made private goes on being suggested elsewhere."""
    may_end = threading.Event()

    def look(*_):
        may_end.wait(10)
        return WorkspaceSnapshot(context_text="PLAN = 1")

    context = Context(monkeypatch, look)
    plans = "file:///w/plans.py"
    context.documents.open({"uri": plans, "text": "PLAN = 1"}, "utf-16")
    context.context.share_documents(URI)
    context.refresh(0)  # and is still reading when the file becomes private
    context.context.configure(Settings(private_globs=("plans.py",)))
    may_end.set()
    await context.settle()
    assert context.shared == [(plans, "PLAN = 1"), (plans, None)]
    assert context.snapshots == [WorkspaceSnapshot()]
    assert list(context.indexed[-1].private_globs) == ["plans.py"]
    context.documents.get(plans).replace("PLAN = 2")
    context.context.share_documents(URI)
    assert context.shared[2:] == []
    context.context.configure(Settings())
    context.context.share_documents(URI)
    assert context.shared[2:] == [(plans, "PLAN = 2")]
    context.context.configure(Settings(statistics=False))  # the same files may be read
    assert context.snapshots == [WorkspaceSnapshot()] * 2
    assert len(context.shared) == 3
    context.context.configure(Settings(remote=RemoteSettings(url="http://gpu:8000")))
    assert context.snapshots == [WorkspaceSnapshot()] * 3  # less may be sent away


async def test_what_a_removed_folder_contributed_is_dropped(monkeypatch):
    context = Context(monkeypatch, lambda *_: WorkspaceSnapshot())
    context.context.add_folders(["file:///w"])
    context.context.configure(Settings())
    context.snapshots.clear()
    folder = types.WorkspaceFolder(uri="file:///w", name="w")
    context.context.change_folders(types.WorkspaceFoldersChangeEvent(added=[], removed=[folder]))
    assert context.snapshots == [WorkspaceSnapshot()]
    assert list(context.indexed[-1].roots) == []


async def test_nothing_is_remembered_if_the_user_wants_none(monkeypatch):
    context = Context(monkeypatch, lambda *_: WorkspaceSnapshot(), FORGETS)
    context.documents.open({"uri": "file:///w/b.py", "text": "b"}, "utf-16")
    context.context.add_folders(["file:///w"])
    context.context.configure(FORGETS)
    context.context.share_documents(URI)
    assert context.shared == []
    assert {tuple(folders.roots) for folders in context.indexed} == {()}
    context.context.configure(Settings())
    assert [str(root) for root in context.indexed[-1].roots] == ["/w"]


@pytest.mark.parametrize("is_link", [False, True])
async def test_a_home_folder_is_no_workspace(monkeypatch, tmp_path, is_link):
    """If it fails, who opens the home folder has all of it indexed."""
    home = tmp_path / "home"
    home.mkdir()
    link = tmp_path / "link"
    link.symlink_to(home, target_is_directory=True)
    monkeypatch.setenv("HOME", str(link if is_link else home))
    monkeypatch.setenv("USERPROFILE", str(link if is_link else home))
    context = Context(monkeypatch, lambda *_: WorkspaceSnapshot())
    folders = (home, tmp_path, home / "project", *([link] if is_link else []))
    context.context.add_folders([folder.as_uri() for folder in folders])
    context.context.configure(Settings())
    assert list(context.indexed[-1].roots) == [home / "project"]
