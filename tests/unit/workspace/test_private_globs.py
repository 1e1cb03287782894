"""Each form of a private glob hides the same files behind every door: editor, index, training."""

import os
import random
import time
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import pytest
from doubles.repository_maker import MIT, TEXT, make_repository

from server.workspace.private_files import is_private
from server.workspace.sources.source_files import find_sources
from training.adaptation.repository_files import read_workspace
from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.extraction.source_list import list_sources
from training.corpus.readers.source_contents import open_source
from training.foundation.privacy.path_globs import MAX_FORMS, find_glob_fault
from training.foundation.privacy.private_paths import is_private_path

TOP, INNER, OTHERS = "internal/keys.py", "src/internal/plans.py", {"main.py", "src/internals.py"}
FILES = {TOP, INNER, *OTHERS}
FORMS = {
    "internal": {TOP, INNER},
    "internal/": {TOP, INNER},
    "intern?l": {TOP, INNER},
    "keys.py": {TOP},
    "internal/**": {TOP, INNER},
    "internal/*": {TOP, INNER},
    "internal/*.py": {TOP, INNER},
    "/internal/**": {TOP, INNER},
    "./internal/**": {TOP, INNER},
    " ./internal/ ": {TOP, INNER},
    "**/internal": {TOP, INNER},
    "**/internal/": {TOP, INNER},
    "**/internal/**": {TOP, INNER},
    "**/**/internal/**": {TOP, INNER},
    "*/internal/*": {TOP, INNER},
    "proj/internal/**": {TOP},
    "**/proj/internal": {TOP},
    "proj/**/internal/**": {TOP, INNER},
    "src/internal": {INNER},
    "src//./internal/": {INNER},
    "src\\internal": {INNER},
    "**/{secrets,internal}/**": {TOP, INNER},
    "**/{secrets,{internal,x}}": {TOP, INNER},
    "{src/,}internal/{plans,none}.py": {INNER},
    "~/HERE/proj/internal/**": {TOP},
    "~/HERE/proj/": FILES,
    "PROJECT/internal/**": {TOP},
    "PROJECT/**/plans.py": {INNER},
    "PROJECT": FILES,
    "PROJECT/": FILES,
    "PROJECT/**": FILES,
    "LINK/internal/**": {TOP},
    "none/**": set(),
}


@pytest.fixture(scope="module", params=[True, False], ids=["git", "folder"])
def project(request, tmp_path_factory):
    """A project, in git or not, to which a link leads."""
    here = tmp_path_factory.mktemp("here")
    files = {**dict.fromkeys(FILES, TEXT), "LICENSE": MIT}
    if request.param:
        make_repository(here / "proj", files)
    else:
        for name, text in files.items():
            (here / "proj" / name).parent.mkdir(parents=True, exist_ok=True)
            (here / "proj" / name).write_text(text)
    (here / "link").symlink_to(here / "proj")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(here.parent))
        yield here / "proj"


def read_corpus(project, globs):
    is_git = (project / ".git").exists()
    kind, where = ("git", str(project)) if is_git else ("folders", project)
    sources = SourcesConfig(private_globs=globs, folder_licence="MIT", **{kind: (where,)})
    config = CorpusConfig(out="out", licences=("MIT",), sources=sources)
    return {file.path for file in open_source(list_sources(config)[0], config).files if file.data}


@pytest.mark.skipif(os.name == "nt", reason="links and home folders differ there")
@pytest.mark.parametrize("form", FORMS)
def test_a_form_hides_the_same_files_behind_every_door(project, form):
    """If it fails, a model learns, or suggests from, what its user keeps private."""
    here = project.parent
    glob = form.replace("PROJECT", str(project)).replace("HERE", here.name)
    globs = (glob.replace("LINK", str(here / "link")),)
    assert find_glob_fault(globs) is None
    shown = FILES - FORMS[form]
    assert {os.path.relpath(file.path, project) for file in find_sources([project], globs)} == shown
    assert set(read_workspace(project, globs).files) == shown
    assert read_corpus(project, globs) == shown
    door = here / "link" if "LINK" in form else project
    assert {name for name in FILES if not is_private((door / name).as_uri(), globs)} == shown


@pytest.mark.parametrize("glob", ["proj/internal/**", "PROJECT/internal", "**/keys.py"])
def test_a_folder_of_a_project_has_the_same_private_files(project, glob):
    """If it fails, adapting to a part of a repository learns what is private in the whole."""
    globs = (glob.replace("PROJECT", str(project)),)
    assert not read_workspace(project / "internal", globs).files
    assert len(read_workspace(project / "src", globs).files) == 2


@pytest.mark.parametrize(
    ("glob", "advice"),
    [
        ("", "remove it"),
        (" / ", "names no file or folder"),
        ("./", "names no file or folder"),
        ("..", "names no file or folder"),
        ("../secrets/**", "'..'"),
        ("!secrets/**", "public again"),
        ("file:///w/secrets/**", "the path alone"),
        ("**/{secrets,internal/**", "'}'"),
        ("{a,b}" * 9, f"over {MAX_FORMS}"),
        ("{" * 2000 + "a," * 20 + "}" * 2000, f"over {MAX_FORMS}"),
        ("**/a/" * 500, f"over {MAX_FORMS}"),
        ("x" * 5000, "characters"),
        ("a\0b", "null"),
        ("~nobody-of-this-name/x", "not known"),
        ("[z-a].py", "[z-a]"),
    ],
)
def test_what_no_path_matches_is_named(glob, advice):
    """If it fails, a mistyped glob keeps nothing private, and nothing is said; or it takes ages."""
    started = time.process_time()
    fault = find_glob_fault(["good", glob])
    assert fault is not None
    assert advice in fault
    assert fault.startswith("the pattern ")
    assert len(fault) < 200
    is_private_path("/w/secrets/a.py", [glob, f"{glob}x"])
    assert time.process_time() - started < 2


def test_braces_in_a_name_are_a_name():
    """If it fails, a template's folder cannot be private."""
    for glob in ("{{app.slug}}/**", "{{app.slug}}", "**/{{app.slug}}/{a,b}.py"):
        assert find_glob_fault([glob]) is None
        assert is_private_path("/w/{{app.slug}}/a.py", [glob])
    assert find_glob_fault(["[{]x"]) is None


def test_no_glob_hides_less_than_fnmatch():
    """If it fails, an update makes public what was private."""
    chance = random.Random(0)
    pieces = [*"ab//*?{},[!].~\\ ", "**/"]
    for _ in range(6000):
        glob = "".join(chance.choices(pieces, k=chance.randrange(1, 7)))
        path = "".join(chance.choices("ab/.", k=chance.randrange(1, 7)))
        if "/" in glob:
            was = fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob.lstrip('/')}")
        else:
            was = any(fnmatchcase(part, glob) for part in PurePosixPath(path).parts)
        assert is_private_path(path, [glob]) >= was, (glob, path)
