"""`$select`, `$expand` and `$filter` on metadata documents.

Metadata sets compare with case and know no string functions (501, as the real ones). Without a
cast only what every type of attribute or relationship has can be selected.
"""

import re
from collections.abc import Callable
from typing import Any

from odata_query import ast

from sandbox.dynamics import errors, query
from sandbox.dynamics.filters import parse, substitute
from sandbox.dynamics.metadata.definitions import NESTED, Document
from sandbox.dynamics.metadata.properties import COLUMN

ENUM = re.compile(r"Microsoft\.Dynamics\.CRM\.\w+(?='(?:[^']|'')*')")
PLAIN = ("@odata.type", "MetadataId")
OPTIONS = ("$select", "$filter", "$expand", "LabelLanguages")


def listed(
    documents: list[Document], pairs: dict[str, str], *, cast: bool = True
) -> list[Document]:
    """The documents that the filter takes, shaped; `cast`: to a type of their own."""
    if "$filter" in pairs:
        text = ENUM.sub("", pairs["$filter"])
        test = _test(parse(substitute(text, pairs)))
        documents = [document for document in documents if test(document)]
    return [shaped(document, pairs, cast=cast) for document in documents]


def shaped(document: Document, pairs: dict[str, str], *, cast: bool = True) -> Document:
    """One document with what was selected and expanded."""
    for name in pairs:
        if name not in OPTIONS and not name.startswith("@"):
            raise errors.not_played(f"{name} on metadata")
    plain = {name: value for name, value in document.items() if name not in NESTED}
    if "$select" in pairs:
        names = [name.strip() for name in pairs["$select"].split(",")]
        for name in names:
            _must_have(document, name, cast=cast)
        plain = {name: plain[name] for name in (*PLAIN, *names) if name in plain}
    for item in query.split(pairs.get("$expand", ""), ","):
        name, _, inner = item.strip().partition("(")
        if name not in document or name not in NESTED:
            raise errors.bad_query(f"Could not find a property named '{name}'.")
        plain[name] = _expanded(document[name](), inner.removesuffix(")"))
    return plain


def _expanded(value: Any, inner: str) -> Any:
    options = dict(option.strip().split("=", 1) for option in query.split(inner, ";"))
    if value is None:
        return None
    if isinstance(value, list):
        return listed(value, options, cast=False)
    return shaped(value, options)


def _must_have(document: Document, name: str, *, cast: bool) -> None:
    known = name in document and name not in NESTED
    if known and not cast and document.get("EntityLogicalName") and "AttributeType" in document:
        known = name in COLUMN
    if not known:
        raise errors.bad_query(f"Could not find a property named '{name}'.")


def _test(node: Any) -> Callable[[Document], bool]:
    if isinstance(node, ast.BoolOp):
        left, right = _test(node.left), _test(node.right)
        if isinstance(node.op, ast.And):
            return lambda document: left(document) and right(document)
        return lambda document: left(document) or right(document)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _test(node.operand)
        return lambda document: not inner(document)
    if isinstance(node, ast.Compare):
        path, value = _path(node.left), _value(node.right)
        if isinstance(node.comparator, ast.Eq):
            return lambda document: bool(_property(document, path) == value)
        if isinstance(node.comparator, ast.NotEq):
            return lambda document: bool(_property(document, path) != value)
    raise errors.DataverseError(501, "0x8006088a", "The metadata filter is not supported.")


def _path(node: Any) -> tuple[str, ...]:
    if isinstance(node, ast.Identifier):
        return (node.name,)
    if isinstance(node, ast.Attribute):
        return (*_path(node.owner), node.attr)
    raise errors.DataverseError(501, "0x8006088a", "The metadata filter is not supported.")


def _value(node: Any) -> Any:
    if isinstance(node, ast.GUID):
        return node.val.lower()
    if isinstance(node, (ast.String, ast.Integer, ast.Boolean, ast.Null)):
        return node.py_val
    raise errors.DataverseError(501, "0x8006088a", "The metadata filter is not supported.")


def _property(document: Document, path: tuple[str, ...]) -> Any:
    if path[0] not in document or path[0] in NESTED:
        raise errors.bad_query(f"Could not find a property named '{path[0]}'.")
    value: Any = document
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise errors.bad_query(f"Could not find a property named '{name}'.")
        value = value[name]
    return value
