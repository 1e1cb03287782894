"""URIs of all sorts: nothing fails, and a private file is recognised in each of them."""

import os
import random
import time

import pytest

from server.workspace.imported_modules import find_imports
from server.workspace.private_files import is_private
from server.workspace.uris import file_name, path_of, paths_named_by

posix = pytest.mark.skipif(os.name == "nt", reason="paths have drives there")
STRANGE = [
    *("buffer://[Scratch]", "untitled:[No Name]", "untitled://[No Name", "file://[host/a.py"),
    *("vscode-remote://[::1/w/a.py", "file:", "", ":", "://", "//", "///", "#", "?", "%", "a:b:c"),
    *("file:///w/100%.py", "file:///w/%zz.py", "file:///w/%ff.py", "file:///w/a%00b.py"),
    *(
        "file:///\ud800.py",
        "file:///%ff\udcff",
        "\0",
        "\n",
        "file:///a\nb",
        "C:\\w\\a.py",
        "/w/a.py",
    ),
    *("jar:file:///w/x.jar!/a.py", "zipfile:///w/a.zip::b.py", "fugitive:///w/.git//0/a.py"),
    *(
        "vscode-notebook-cell:/w/n.ipynb#W0sZmlsZQ%3D%3D",
        "git:/w/a.py?%7B%22path%22%3A%22",
        "x" * 9999,
    ),
]


@posix
@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///w/a%20b.py", "/w/a b.py"),
        ("file:///w/100%2525/a.py", "/w/100%25/a.py"),
        ("FILE:///w/a.py", "/w/a.py"),
        ("file:/w/a.py", "/w/a.py"),
        ("file://localhost/w/a.py", "/w/a.py"),
        ("file:///w/%ff.py", "/w/\udcff.py"),
        ("untitled:Untitled-1", None),
        ("file://server/share/a.py", None),
        ("file:a.py", None),
        ("file:///w/%00", None),
        ("buffer://[Scratch]", None),
    ],
)
def test_paths_of_uris(uri, path):
    """If it fails, modules are looked for in another folder."""
    assert path_of(uri) == (None if path is None else path_of("file:///").joinpath(path))


@pytest.mark.parametrize("uri", STRANGE)
def test_what_is_no_uri_is_a_name(uri):
    """If it fails, a buffer with a strange name gets an error for every suggestion."""
    path_of(uri)
    file_name(uri)
    assert not is_private(uri, ["no/such", "[z-a]\ud800", "*q" * 500])


def test_any_text_is_accepted():
    chance = random.Random(0)
    for _ in range(3000):
        uri = "".join(chance.choices("file:/?#[]@%ff0\\.envç\ud800\0\n ", k=chance.randrange(30)))
        path_of(uri)
        file_name(uri)
        is_private(uri, ["*x*", "a/b"])


@pytest.mark.parametrize(
    "uri",
    [
        "file:///w/C#/.env",
        "file:///w/what?/.env",
        "untitled:/w/.env",
        "/w/.env",
        "C:\\w\\id_rsa",
        "zipfile:///w/a.zip::.env",
        "vscode-notebook-cell:/w/secrets.ipynb#W0sZ",
        "git:/w/.env?%7B%22path%22%3A%22/w/.env%22%7D",
        "file:///w/%2eenv",
        "//server/share/.env",
    ],
)
def test_a_private_file_is_recognised_in_every_kind_of_uri(uri):
    """If it fails, a key reaches the model because its editor encodes less than it should."""
    assert is_private(uri, [])


def test_names_are_decoded_and_on_one_line():
    assert file_name("file:///w/a%0A%20b.py") == "a b.py"
    assert paths_named_by("file:///w/a.py")[0] == "/w/a.py"


@pytest.mark.parametrize(
    "line", ["from a import (\n", "from " + "." * 100 + "\n", "import a,\n", " \t"]
)
def test_reading_imports_takes_time_in_proportion_to_the_text(line):
    """If it fails, a file of half-written imports freezes the server."""
    n = 3000

    def measure(text):
        started = time.perf_counter()
        assert len(list(find_imports(text))) >= 0
        return time.perf_counter() - started

    short = min(measure(line * n) for _ in range(3))
    assert min(measure(line * 4 * n) for _ in range(3)) < 10 * max(short, 0.005)
    one_line = line.strip("\n") * n
    assert measure(f"from {'.' * 200_000}\nfrom a import ({one_line}") < 2
