"""Filters by path: vendored folders, copies of other projects' modules, generated clients, locales.

Pure functions. All but the vendored folders are off unless a config enables them. Called by
:mod:`training.corpus.filters.screening`.
"""

import re

from training.corpus.config import FilterConfig

VENDORED, COPIED = "vendored", "copied module"
CLIENT, LOCALE = "generated client", "locale data"

_VENDORED = re.compile(
    r"(?:^|/)(?:_?vendor(?:ed)?(?:_packages)?|extern(?:als?)?|third_?party|3rdparty"
    r"|site-packages|node_modules)(?:/|$)"
)
_MORE_VENDORED = re.compile(r"(?:^|/)(?:_?vendored[-_][^/]+|vendorized|_?bundled|submodules)/")
# Modules that many projects bundle, and the package that each belongs to.
_COPIES = {
    "_six.py": "six",
    "appdirs.py": "appdirs",
    "cloudpickle.py": "cloudpickle",
    "contextlib2.py": "contextlib2",
    "distribute_setup.py": "setuptools",
    "docopt.py": "docopt",
    "ez_setup.py": "setuptools",
    "funcsigs.py": "funcsigs",
    "get-pip.py": "pip",
    "ordereddict.py": "ordereddict",
    "ptyprocess.py": "ptyprocess",
    "six.py": "six",
    "subprocess32.py": "subprocess32",
    "typing_extensions.py": "typing-extensions",
    "unittest2.py": "unittest2",
    "versioneer.py": "versioneer",
}
_CLIENT_PATH = re.compile(r"_pb2(?:_grpc)?\.py$|_pb2/[^/]*$")
_LOCALE_FOLDER = re.compile(
    r"^(?:locales?|locale_?data|langs?|languages?|.*translations?(?:_data)?|i18n)$"
)
_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da"
    " de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy"
    " hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg"
    " li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or"
    " os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta"
    " te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_LANGUAGES = frozenset(_ISO_639_1.split())
_VARIANT = re.compile(r"^([a-z]{2})(?:[_-](?:[A-Z]{2}|[a-z]{2}|[A-Za-z]{4,5}|[0-9]{3}))*$")
_LOCALE = re.compile(r"^[a-z]{2,3}[_-](?:[A-Z][a-z]{3}[_-])?[A-Z]{2}$")


def is_vendored(path: str) -> bool:
    """Returns whether a path lies in a folder of vendored packages."""
    return bool(_VENDORED.search(path))


def check_path(path: str, package: str, config: FilterConfig) -> str | None:
    """Returns why a file is dropped for its path, or None.

    Args:
        path: The path within the source.
        package: The normalized name of its package, whose own modules are not copies.
        config: The kinds of files to drop.
    """
    *folders, name = path.split("/")
    if config.drop_copied:
        if _MORE_VENDORED.search(path):
            return VENDORED
        if _COPIES.get(name, package) != package:
            return COPIED
    if config.drop_generated_clients and _CLIENT_PATH.search(path):
        return CLIENT
    if config.drop_locale_data and _is_locale(folders, name.removesuffix(".py")):
        return LOCALE
    return None


def _is_locale(folders: list[str], stem: str) -> bool:
    places = [*folders, stem]
    if any(_LOCALE.match(place) for place in places):
        return True
    pairs = zip(folders, places[1:], strict=True)
    return any(_LOCALE_FOLDER.match(a.lower()) and _is_language(b) for a, b in pairs)


def _is_language(name: str) -> bool:
    match = _VARIANT.match(name)
    return match is not None and match[1] in _LANGUAGES
