"""Finds out which of some names a chunk defines, from its syntax tree."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.languages.grammars import parser
from indexer.languages.table import LANGUAGES
from indexer.types import Chunk

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES_AND_MACROS = frozenset(
    {"type_spec", "type_alias_declaration", "type_item", "type_definition", "type_declaration", "const_item"}
    | {"static_item", "preproc_def", "preproc_function_def", "text_macro_definition", "enum_declaration"}
    | {"record_declaration"}
)
"""Definitions that are no scopes, so the table of languages does not list them."""
_DEPTH = 6
"""Levels below a definition in which its name is looked for: SystemVerilog's headers put it at the third."""


def definition_line(chunk: Chunk, names: frozenset[str]) -> int | None:
    """The line of the file, counted from 0, at which the chunk defines one of ``names``; None if it defines none.

    Names are compared without regard to case. Languages without a grammar define nothing.
    """
    text = chunk.text.casefold()
    wanted = {name for name in map(str.casefold, names) if name in text}
    if not wanted:
        return None
    kinds = frozenset(LANGUAGES[chunk.language].definitions) if chunk.language in LANGUAGES else frozenset()
    maker = parser(chunk.language) if kinds else None
    if maker is None:
        return None
    for node in _of_kinds(maker.parse(chunk.text.encode()).root_node, kinds | _TYPES_AND_MACROS):
        if node.type.endswith("_specifier") and node.child_by_field_name("body") is None:
            continue  # `struct device *` uses a type
        name = _name(node, _DEPTH)
        if name is not None and (name.text or b"").decode(errors="replace").casefold() in wanted:
            return chunk.start_line + name.start_point.row
    return None


def _of_kinds(root: "Node", kinds: frozenset[str]) -> "Iterator[Node]":
    todo = [root]
    while todo:
        node = todo.pop()
        if node.type in kinds:
            yield node
        todo += reversed(node.named_children)


def _name(node: "Node", depth: int) -> "Node | None":
    """The identifier that a definition gives a meaning to."""
    for field in ("name", "declarator", "method", "field"):
        inner = node.child_by_field_name(field)
        if inner is not None:
            return inner if not inner.named_children else _name(inner, depth - 1)
    if "identifier" in node.type or node.type in ("name", "word", "constant"):
        return node
    if depth == 0:
        return None
    for child in node.named_children:
        if "parameter" in child.type or child.type.partition("_")[0] == "type":
            continue
        found = _name(child, depth - 1)
        if found is not None:
            return found
    return None
