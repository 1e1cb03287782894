"""Files that are not a package's own work: copied modules, generated clients, data, locales.

Pure functions of a path, a text, a syntax tree and thresholds. They run after the filters that
every corpus uses (:mod:`training.corpus.filters.text_filters`) and are off unless a config enables
them. Called by :mod:`training.corpus.filters.screening`.
"""

import ast
import re
from collections.abc import Iterator

from training.corpus.config import FilterConfig

VENDORED, COPIED, GENERATED = "vendored", "copied module", "generated"
CLIENT, LOCALE, TABLE = "generated client", "locale data", "data table"

_VENDORED_FOLDER = re.compile(r"(?:^|/)(?:_?vendored[-_][^/]+|vendorized|_?bundled|submodules)/")
# Modules that many projects bundle a copy of, and the package each belongs to.
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
_COPIED_TEXT = re.compile(r"^# ?ply: (?:lex|yacc)\.py", re.MULTILINE)

_CLIENT_PATH = re.compile(r"_pb2(?:_grpc)?\.py$|_pb2/[^/]*$")
_CLIENT_TEXT = re.compile(
    r"_descriptor_pool\.Default\(\)\.AddSerializedFile|proto\.module\(|\bgapic_version\b|@jsii\."
    r"|^    (?:openapi|swagger)_types\b.*= \{|^    thrift_spec = ",
    re.MULTILINE,
)
_GENERATED_HEAD = re.compile(
    r"^\W*(?:code )?(?:auto(?:matically)?[- ]?)?generated (?:automatically|by|from|using|with)\b"
    r"|(?:file|module|code|script|list) (?:is|was|has been) (?:auto(?:matically)?[- ]?)?generated"
    r"|(?:has|have) been generated automatically"
    r"|do not (?:edit|modify|change) (?:this file|manually|by hand|it)\b"
    r"|(?-i:\bDO NOT (?:EDIT|MODIFY)\b)",
    re.MULTILINE | re.IGNORECASE,
)
_HEAD_CHARS = 3000
_HEAD = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*(?:[rRuU]?(\"{3}|'{3}).*?(?:\1|\Z))?", re.DOTALL)

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

_LEAST_CONSTANTS = 50  # of a literal that counts as a table
_MAX_OTHER_SHARE = 0.1  # of its nodes that are names, calls or operators
_IN_LITERALS = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.expr_context)


def path_reason(path: str, package: str, config: FilterConfig) -> str | None:
    """Returns why a file is dropped for its path, or None.

    Args:
        path: Within its source.
        package: The normalised name of its package, whose own modules are not copies.
        config: Which kinds of files to drop.
    """
    *folders, name = path.split("/")
    if config.drop_copied:
        if _VENDORED_FOLDER.search(path):
            return VENDORED
        if _COPIES.get(name, package) != package:
            return COPIED
    if config.drop_generated_clients and _CLIENT_PATH.search(path):
        return CLIENT
    if config.drop_locale_data and _is_locale(folders, name.removesuffix(".py")):
        return LOCALE
    return None


def text_reason(text: str, config: FilterConfig) -> str | None:
    """Returns why a document is dropped for its text, or None."""
    if config.drop_copied and _COPIED_TEXT.search(text[:_HEAD_CHARS]):
        return COPIED
    if config.drop_generated_clients:
        if _GENERATED_HEAD.search(head(text)):
            return GENERATED
        if _CLIENT_TEXT.search(text):
            return CLIENT
    return None


def tree_reason(tree: ast.Module, text: str, config: FilterConfig) -> str | None:
    """Returns why a document is dropped for its syntax tree, or None."""
    if config.max_table_share is None:
        return None
    return TABLE if table_share(tree, text) > config.max_table_share else None


def head(text: str) -> str:
    """Returns the comments at the top of a document and the module's docstring."""
    match = _HEAD.match(text[:_HEAD_CHARS])
    return match[0] if match else ""


def _is_locale(folders: list[str], stem: str) -> bool:
    places = [*folders, stem]
    if any(_LOCALE.match(place) for place in places):
        return True
    pairs = zip(folders, places[1:], strict=True)
    return any(_LOCALE_FOLDER.match(a.lower()) and _is_language(b) for a, b in pairs)


def _is_language(name: str) -> bool:
    match = _VARIANT.match(name)
    return match is not None and match[1] in _LANGUAGES


def table_share(tree: ast.Module, text: str) -> float:
    """Returns the share of a document's characters on lines of large literals of constants.

    Only assignments and calls at the level of modules and classes count: in a function, a list of
    values is part of its logic.
    """
    ends = [0]
    for line in text.split("\n"):
        ends.append(ends[-1] + len(line) + 1)
    covered = 0
    for node in _literals(tree):
        last = min(node.end_lineno or node.lineno, len(ends) - 1)
        covered += ends[last] - ends[node.lineno - 1]
    return covered / ends[-1]


def _literals(tree: ast.Module) -> Iterator[ast.expr]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)):
            yield from (literal for literal in _outermost(node.value) if _is_table(literal))
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for field in ("body", "orelse", "finalbody", "handlers"):
                waiting += getattr(node, field, ())


def _outermost(value: ast.expr | None) -> Iterator[ast.expr]:
    """Yields the collections among a value, or among a call's arguments."""
    values: list[ast.expr | None] = [value]
    if isinstance(value, ast.Call):
        values = [*value.args, *(keyword.value for keyword in value.keywords)]
    for one in values:
        if isinstance(one, (ast.List, ast.Tuple, ast.Set, ast.Dict)):
            yield one


def _is_table(literal: ast.expr) -> bool:
    n_constants = n_other = 0
    for node in ast.walk(literal):
        if isinstance(node, ast.Constant):
            n_constants += 1
        elif not isinstance(node, _IN_LITERALS):
            n_other += 1
    return n_constants >= _LEAST_CONSTANTS and n_other <= _MAX_OTHER_SHARE * n_constants
