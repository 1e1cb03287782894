"""Parses text with tree-sitter, which builds a tree from any text, however broken.

The cursor is marked by a name that occurs in no program, so that the tree tells what a name there
would be. The only module that knows tree-sitter. Each text is one statement at the
outermost level (:func:`server.syntax.open_brackets.statement_at`); of a longer one only
its end is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_python
from tree_sitter import Language, Node, Parser

MARK = "parrotlet_cursor_"
_PARSER = Parser(Language(tree_sitter_python.language()))
_CLAUSES = {
    "function_definition",
    "class_definition",
    "if_statement",
    "elif_clause",
    "else_clause",
    "for_statement",
    "while_statement",
    "try_statement",
    "except_clause",
    "finally_clause",
    "with_statement",
    "case_clause",
}
_BINDING = {  # node type: the field whose names it binds
    "assignment": "left",
    "for_statement": "left",
    "for_in_clause": "left",
    "named_expression": "name",
    "function_definition": "name",
    "class_definition": "name",
    "default_parameter": "name",
    "typed_default_parameter": "name",
}
_BINDING_ALL = {  # every name in one of these is bound
    "parameters",
    "lambda_parameters",
    "typed_parameter",
    "as_pattern_target",
    "splat_pattern",
    "dotted_name",
    "aliased_import",
}
_IN_TYPE_PARAMETERS = {"type", "type_parameter", "constrained_type", "splat_type", "generic_type"}
_NO_USE = {
    "dotted_name",
    "aliased_import",
    "global_statement",
    "nonlocal_statement",
    "keyword_pattern",  # its name is an attribute's
}


@dataclass(frozen=True, kw_only=True)
class OpenedBlock:
    """A block whose first statement is at the cursor."""

    kind: str  # the node type of the statement or clause that opens it
    column: int  # of that statement, in bytes

    @property
    def is_function(self) -> bool:
        """Whether it is the body of a function."""
        return self.kind == "function_definition"


def block_opened_before_mark(text: str) -> OpenedBlock | None:
    """Returns the block that begins at ``MARK``; a docstring and comments may precede it."""
    source = text.encode("utf-8", "replace")
    node = _node_at_mark(source)
    statement = None if node is None else node.parent
    if node is None or statement is None or statement.type != "expression_statement":
        return None
    block = statement.parent
    if block is None or block.type != "block":
        return None
    owner = block.parent
    if owner is None or owner.type not in _CLAUSES or not _is_first(statement, block):
        return None
    return OpenedBlock(kind=owner.type, column=_column(owner))


def function_around_mark(text: str) -> int | None:
    """Returns the column of the innermost function around ``MARK``, None outside of functions."""
    node = _node_at_mark(text.encode("utf-8", "replace"))
    while node is not None and node.type != "function_definition":
        node = node.parent
    return None if node is None else node.start_point[1]


def errors_from(text: str, start: int) -> int:
    """Counts the syntax errors that end at or after character ``start``."""
    source = text.encode("utf-8", "replace")
    start_byte = len(text[:start].encode("utf-8", "replace"))
    root = _PARSER.parse(source).root_node
    return sum(node.end_byte >= start_byte for node in _errors(root)) if root.has_error else 0


def find_names(text: str, start: int) -> tuple[list[str], set[str]]:
    """Returns the names after character ``start``: those that are used, and those that are bound.

    Attributes, keyword arguments' names and imported names do not count as uses.
    """
    source = text.encode("utf-8", "replace")
    start_byte = len(text[:start].encode("utf-8", "replace"))
    used: list[str] = []
    bound: set[str] = set()
    for node in _walk(_PARSER.parse(source).root_node):
        if node.type != "identifier" or node.end_byte <= start_byte:
            continue
        name = (node.text or b"").decode("utf-8", "replace")
        if _is_bound(node) or _is_type_parameter(node):
            bound.add(name)
        elif _is_use(node):
            used.append(name)
    return used, bound


def _node_at_mark(source: bytes) -> Node | None:
    at = source.rfind(MARK.encode())
    root = _PARSER.parse(source).root_node
    return root.descendant_for_byte_range(at, at + len(MARK)) if at >= 0 else None


def _is_first(statement: Node, block: Node) -> bool:
    for child in block.named_children:
        if child.id == statement.id:
            return True
        is_docstring = child.type == "expression_statement" and [
            inner.type for inner in child.named_children
        ] == ["string"]
        if child.type != "comment" and not is_docstring:
            return False
    return False


def _column(owner: Node) -> int:
    """Returns the column of the statement that a clause belongs to."""
    while owner.type.endswith("_clause") and owner.type != "case_clause":
        if owner.parent is None:
            break
        owner = owner.parent
    return owner.start_point[1]


def _errors(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            waiting.extend(node.children)


def _walk(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def _is_use(node: Node) -> bool:
    parent = node.parent
    if parent is None or parent.type in _NO_USE:
        return False
    if parent.type == "attribute":
        return parent.child_by_field_name("object") == node
    if parent.type == "keyword_argument":
        return parent.child_by_field_name("value") == node
    return True


def _is_bound(node: Node) -> bool:
    """Returns whether the name is bound, not used, here."""
    child, parent = node, node.parent
    while parent is not None:
        if parent.type in _BINDING_ALL:
            return True
        if parent.type == "as_pattern":  # of a case; elsewhere it binds a target
            return parent.named_children[-1] == child
        field = _BINDING.get(parent.type)
        if field is not None:
            return parent.child_by_field_name(field) == child
        if not parent.type.endswith(("pattern", "pattern_list", "_list", "tuple", "list")):
            return False
        child, parent = parent, parent.parent
    return False


def _is_type_parameter(node: Node) -> bool:
    """Returns whether the name is a type parameter where it is declared, or a type alias."""
    child, parent = node, node.parent
    while parent is not None and parent.type in _IN_TYPE_PARAMETERS:
        if parent.type == "constrained_type" and parent.named_children[0] != child:
            return False
        child, parent = parent, parent.parent
    if parent is None:
        return False
    field = "left" if parent.type == "type_alias_statement" else "type_parameters"
    return parent.child_by_field_name(field) == child
