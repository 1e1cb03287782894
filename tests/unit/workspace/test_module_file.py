"""Which files of a workspace are read as modules: regular ones inside it, whole, and no others."""

import os

import pytest

from server.workspace import imported_modules
from server.workspace.imported_modules import ImportedModules
from server.workspace.module_file import MAX_FILE_BYTES, find_module_file, read_module_file

TEXT = "def helper(size): ...\n"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "real.py").write_text(TEXT)
    (tmp_path / "outside.py").write_text("PASSWORD = 1\n")
    return folder


def read(path, root, globs=()):
    file = find_module_file(path, [root.resolve()], globs)
    return None if file is None else read_module_file(file)


def link(root, target):
    path = root / "util.py"
    path.symlink_to(target)
    return path


def test_a_regular_file_is_read(root):
    assert read(root / "real.py", root) == TEXT


def test_a_link_inside_the_workspace_is_read(root):
    assert read(link(root, "real.py"), root) == TEXT


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/tty", "/proc/self/mem", "..", "util.py"])
def test_links_to_what_is_no_file_are_not_read(root, target):
    """If it fails, a repository takes all memory, or hangs the server, by one link."""
    assert read(link(root, target), root) is None


def test_a_link_that_leaves_the_workspace_is_not_read(root):
    """If it fails, a repository sends a file of its reader to the remote model."""
    assert read(link(root, root.parent / "outside.py"), root) is None


def test_a_folder_that_leaves_the_workspace_is_not_entered(root):
    (root / "vendored").symlink_to(root.parent)
    assert read(root / "vendored" / "outside.py", root) is None


def test_a_workspace_that_is_itself_behind_a_link_is_read(root):
    """If it fails, nothing is known of a project whose folder is a link."""
    (root.parent / "alias").symlink_to(root)
    found = ImportedModules([root.parent / "alias"], ()).find("import real\n", None)
    assert [module.path for module, _ in found] == ["real.py"]


def test_a_pipe_is_not_opened(root):
    """If it fails, the server waits for ever for a writer."""
    os.mkfifo(root / "util.py")
    assert read(root / "util.py", root) is None


def test_a_pipe_that_replaces_a_file_is_not_waited_for(root):
    file = find_module_file(root / "real.py", [root.resolve()], ())
    (root / "real.py").unlink()
    os.mkfifo(root / "real.py")
    assert read_module_file(file) is None


def test_a_link_that_replaces_a_file_is_not_followed(root):
    file = find_module_file(root / "real.py", [root.resolve()], ())
    (root / "real.py").unlink()
    (root / "real.py").symlink_to(root.parent / "outside.py")
    assert read_module_file(file) is None


def test_private_names_count_at_both_ends_of_a_link(root):
    """If it fails, ``config.py -> .env`` puts keys into prompts."""
    (root / ".env").write_text("KEY = 1\n")
    assert read(link(root, ".env"), root) is None
    (root / "my_secret.py").symlink_to("real.py")
    assert read(root / "my_secret.py", root) is None
    assert read(root / "real.py", root, ["real.py"]) is None


def test_long_files_are_not_read_also_when_they_grow_meanwhile(root):
    file = find_module_file(root / "real.py", [root.resolve()], ())
    (root / "real.py").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert read_module_file(file) is None
    assert read(root / "real.py", root) is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"# coding: latin-1\nname = '\xe9'\n", "# coding: latin-1\nname = 'é'\n"),
        (b"# coding: no-such-codec\n", None),
        (b"\xff\xfe", None),
    ],
)
def test_a_file_is_read_in_the_encoding_that_it_declares(root, data, text):
    """If it fails, modules with a byte order mark, or of older projects, are not known."""
    (root / "real.py").write_bytes(data)
    assert read(root / "real.py", root) == text


@pytest.mark.parametrize("name", ["a" * 300, "nul\0", "missing", "\udcff"])
def test_names_that_no_file_has(root, name):
    assert read(root / f"{name}.py", root) is None


def test_a_module_is_parsed_once_until_it_changes(root, monkeypatch):
    modules = ImportedModules([root], ())
    first = modules.find("import real\n", None)
    monkeypatch.setattr(imported_modules, "read_module_file", None)  # nothing is read again
    assert modules.find("import real\n", None)[0][0] is first[0][0]
