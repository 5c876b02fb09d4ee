"""`$filter`: parsed by odata-query, made into a test of a row with Dataverse's semantics.

Text compares without case; the values of contains, startswith and endswith are LIKE patterns
(learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows). `ne` and a
negated test hold for null too, as the conditions that Dataverse makes of them do.
"""

import dataclasses
import functools
import json
import operator
import re
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from sandbox.dynamics import errors, values
from sandbox.dynamics.schema import Column, Table
from sandbox.dynamics.store import Row, Store, normal

Test = Callable[[Row], bool]
Sees = Callable[[Column], bool]
Getter = Callable[[Row | None], Any]
ORDERED = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
KINDS = {
    "string": "text",
    "memo": "text",
    "key": "guid",
    "lookup": "guid",
    "guid": "guid",
    "integer": "number",
    "decimal": "number",
    "double": "number",
    "money": "number",
    "choice": "number",
    "state": "number",
    "status": "number",
}
_parsing = threading.Lock()
_lexer, _parser = ODataLexer(), ODataParser()


@dataclasses.dataclass(frozen=True)
class Operand:
    """One side of a comparison: a constant, or a way to get it from a row."""

    kind: str
    get: Getter
    constant: bool


@functools.lru_cache(maxsize=1000)
def parse(text: str) -> Any:
    """The syntax tree; raises the OData-level error when there is none."""
    try:
        with _parsing:
            return _parser.parse(_lexer.tokenize(text))
    except (ODataException, ValueError, AttributeError, TypeError):
        raise errors.bad_query("Syntax error in the filter.") from None


def substitute(text: str, aliases: dict[str, str]) -> str:
    """Put the values of parameter aliases (`@p1`) in their places, outside of quotes."""

    def put(found: re.Match[str]) -> str:
        if found[0].startswith("'"):
            return found[0]
        if found[0] not in aliases:
            raise errors.bad_query("A parameter alias has no value.")
        return aliases[found[0]]

    return re.sub(r"'(?:[^']|'')*'|@\w+", put, text)


def compile_filter(
    text: str, table: Table, store: Store, aliases: dict[str, str], sees: Sees
) -> Test:
    """The test that `text` is for rows of `table`; `sees`: may the caller see a column."""
    text, lists = _lift_lists(substitute(text, aliases))
    return _Compiler(table, store, lists, sees).test(parse(text))


def _lift_lists(text: str) -> tuple[str, list[list[str]]]:
    """odata-query doesn't read JSON arrays: replace each by the text of its number."""
    lists: list[list[str]] = []

    def lift(found: re.Match[str]) -> str:
        if not found[0].startswith("["):
            return found[0]
        lists.append(_array(found[0]))
        return f"'{len(lists) - 1}'"

    pattern = r"""'(?:[^']|'')*'|\[(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\]"'])*\]"""
    return re.sub(pattern, lift, text), lists


def _array(text: str) -> list[str]:
    inner = re.sub(
        r"'((?:[^']|'')*)'" if '"' not in text else r"(?!)",
        lambda found: json.dumps(found[1].replace("''", "'")),
        text,
    )
    try:
        found = json.loads(inner)
    except ValueError:
        raise errors.bad_query("Syntax error in a list of values.") from None
    return [str(value) for value in found]


class _Compiler:
    """Walks one syntax tree. Whatever it doesn't know it refuses."""

    def __init__(
        self,
        table: Table,
        store: Store,
        lists: list[list[str]],
        sees: Sees,
        variable: str | None = None,
    ) -> None:
        self._variable = variable  # of the lambda whose body this is
        self._table = table
        self._store = store
        self._lists = lists
        self._sees = sees

    def test(self, node: Any) -> Test:
        if isinstance(node, ast.BoolOp):
            left, right = self.test(node.left), self.test(node.right)
            if isinstance(node.op, ast.And):
                return lambda row: left(row) and right(row)
            return lambda row: left(row) or right(row)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.test(node.operand)
            return lambda row: not inner(row)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.CollectionLambda):
            return self._lambda(node)
        raise errors.bad_query("The filter is not a test.")

    def _compare(self, node: Any) -> Test:
        if isinstance(node.comparator, ast.In):
            raise errors.bad_query("The 'in' operator is not supported.")
        left, right = self._operand(node.left), self._operand(node.right)
        left, right = _alike(left, right)
        if isinstance(node.comparator, ast.Eq):
            return lambda row: bool(left.get(row) == right.get(row))
        if isinstance(node.comparator, ast.NotEq):
            return lambda row: bool(left.get(row) != right.get(row))
        if "null" in (left.kind, right.kind) or left.kind in ("guid", "bool"):
            raise errors.bad_query("These values have no order.")
        compare = ORDERED[type(node.comparator)]

        def ordered(row: Row) -> bool:
            a, b = left.get(row), right.get(row)
            return a is not None and b is not None and bool(compare(a, b))

        return ordered

    def _lambda(self, node: Any) -> Test:
        """`collection/any(x: …)` and `all`; `any()` alone asks whether there is a row."""
        name = node.owner.name if isinstance(node.owner, ast.Identifier) else ""
        store, table = self._store, self._table
        if name in table.collections:
            target = store.schema.tables[table.collections[name].table]
        elif name in table.associations:
            target = store.schema.tables[table.associations[name].other(table.name)]
        else:
            raise errors.unknown_property(name, table)
        if node.lambda_ is None:
            return lambda row: bool(store.related(row, name)[1])
        variable = node.lambda_.identifier.name
        inner = _Compiler(target, store, self._lists, self._sees, variable)
        test = inner.test(node.lambda_.expression)
        among = any if isinstance(node.operator, ast.Any) else all
        return lambda row: among(test(each) for each in store.related(row, name)[1])

    def _operand(self, node: Any) -> Operand:
        path = _path(node)
        if path and self._variable is not None:
            if path[0] != self._variable:
                raise errors.bad_query("A lambda's body is about its own variable.")
            path = path[1:]
        if len(path) == 1:
            return self._column(self._table, path[0], lambda row: row)
        if len(path) == 2:
            return self._through(*path)
        if path:
            raise errors.not_played("a longer path in a filter")
        constant = _constant(node)
        return Operand(constant[0], lambda row: constant[1], True)

    def _column(self, table: Table, name: str, find: Callable[[Row | None], Row | None]) -> Operand:
        column = table.wire.get(name)
        if column is None:
            raise errors.unknown_property(name, table)
        visible = self._sees(column)

        def get(row: Row | None) -> Any:
            found = find(row)
            return comparable(column, found) if found is not None and visible else None

        return Operand(KINDS.get(column.type, column.type), get, False)

    def _through(self, name: str, attribute: str) -> Operand:
        column = self._table.navigations.get(name)
        if column is None:
            raise errors.unknown_property(name, self._table)
        target = self._store.schema.target(column, name)

        def find(row: Row | None) -> Row | None:
            reference = row.values.get(column.name) if row else None
            if reference is None or reference[0] != target.name:
                return None
            return self._store.get(target, reference[1])

        return self._column(target, attribute, find)

    def _call(self, node: Any) -> Test:
        name = node.func.full_name()
        if name == "Microsoft.Dynamics.CRM.In":
            return self._in(node)
        if name.startswith("Microsoft.Dynamics.CRM."):
            raise errors.not_played(name)
        if name not in ("contains", "startswith", "endswith") or len(node.args) != 2:
            raise errors.bad_query(f"An unknown function with name '{name}' was found.")
        left, right = self._operand(node.args[0]), self._operand(node.args[1])
        if left.kind != "text" or right.kind != "text" or left.constant or not right.constant:
            raise errors.bad_query(f"'{name}' takes a column and a text.")
        pattern = like(name, str(getattr(node.args[1], "val", "")))

        def matches(row: Row) -> bool:
            text = left.get(row)
            return text is not None and pattern.fullmatch(text) is not None

        return matches

    def _in(self, node: Any) -> Test:
        named = [a for a in node.args if isinstance(a, ast.NamedParam)]
        given = {a.name.name: str(getattr(a.param, "val", "")) for a in named}
        if set(given) != {"PropertyName", "PropertyValues"}:
            raise errors.bad_query("In takes PropertyName and PropertyValues.")
        name = given["PropertyName"]
        column = self._table.columns.get(name) or self._table.wire.get(name)
        if column is None:
            raise errors.unknown_property(name, self._table)
        wanted = {converted(column, value) for value in self._lists[int(given["PropertyValues"])]}
        operand = self._column(self._table, column.wire, lambda row: row)
        return lambda row: operand.get(row) in wanted


def comparable(column: Column, row: Row) -> Any:
    """A stored value as comparisons and sorting see it."""
    value = row.values.get(column.name)
    return value[1] if column.type == "lookup" and value else normal(value)


def like(function: str, value: str) -> re.Pattern[str]:
    """The SQL LIKE pattern as a regular expression over case-folded text."""
    parts = []
    for token in re.findall(r"\[\^?[^\]]*\]|.", value.casefold(), re.DOTALL):
        if token == "%":
            parts.append(".*")
        elif token == "_":
            parts.append(".")
        elif len(token) > 2 and token[0] == "[":
            negated, chars = token[1] == "^", token[1:-1].lstrip("^")
            kept = re.sub(r"([\\\]^])", r"\\\1", chars)
            parts.append(f"[{'^' if negated else ''}{kept}]")
        else:
            parts.append(re.escape(token))
    before = "" if function in ("startswith", "like") else ".*"
    after = "" if function in ("endswith", "like") else ".*"
    return re.compile(f"{before}{''.join(parts)}{after}", re.DOTALL)


def _path(node: Any) -> list[str]:
    """`a/b` as its names; nothing for what is no path."""
    if isinstance(node, ast.Identifier):
        return [node.name]
    return [*_path(node.owner), node.attr] if isinstance(node, ast.Attribute) else []


def _constant(node: Any) -> tuple[str, Any]:
    if isinstance(node, ast.Null):
        return "null", None
    if isinstance(node, ast.String):
        return "text", normal(node.val)
    if isinstance(node, (ast.Integer, ast.Float)):
        return "number", Decimal(node.val)
    if isinstance(node, ast.Boolean):
        return "bool", node.val == "true"
    try:
        if isinstance(node, ast.GUID):
            return "guid", values.guid_text(node.val)
        if isinstance(node, ast.Date):
            return "date", values.date_text(node.val)
        if isinstance(node, ast.DateTime):
            return "datetime", values.datetime_text(node.val)
    except ValueError:
        raise errors.bad_query("A literal in the filter is not valid.") from None
    if isinstance(node, ast.Call):
        raise errors.bad_query(f"An unknown function with name '{node.func.name}' was found.")
    raise errors.not_played("arithmetic and other expressions in a filter")


def _alike(left: Operand, right: Operand) -> tuple[Operand, Operand]:
    kinds = (left.kind, right.kind)
    if "null" in kinds or left.kind == right.kind:
        return left, right
    if kinds == ("datetime", "date") and right.constant:
        day = right.get(None)
        return left, Operand("datetime", lambda row: f"{day}T00:00:00Z", True)
    raise errors.bad_query("A binary operator with incompatible types was detected.")


def converted(column: Column, value: str) -> Any:
    """A text as a value that compares with the column's."""
    kind = KINDS.get(column.type, column.type)
    if kind == "text":
        return normal(value)
    try:
        if kind == "number":
            return Decimal(value)
        if kind == "guid":
            return values.guid_text(value)
        if kind == "date":
            return values.date_text(value)
        if kind == "datetime":
            return values.datetime_text(value if "T" in value else f"{value}T00:00:00Z")
        return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
    except (ValueError, ArithmeticError, KeyError):
        raise errors.bad_query("A value does not fit its column.") from None
