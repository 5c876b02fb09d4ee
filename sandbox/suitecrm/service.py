"""V8's resources: module, relationships, meta, logout. Not for: tokens, HTTP."""

import math
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import UUID

from sandbox.suitecrm import query
from sandbox.suitecrm.errors import API, access_denied, invalid_option, not_played, refused
from sandbox.suitecrm.schema import Module, Schema
from sandbox.suitecrm.store import Row, Store, resource
from sandbox.suitecrm.values import collated

_DEFAULT_SIZE = 20
RIGHTS = frozenset(("view", "edit", "delete"))
"""What a role may allow in a module, as far as it is played."""
_NOTHING = {"message": "Request was successful, but there is no result"}


class Reply(NamedTuple):
    """Status and document of a success."""

    status: int
    document: Any
    content_type: str = API


class Service:
    """Answers one authorised request."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self.schema = schema
        self._store = store

    def answer(
        self, method: str, path: str, search: str, body: Any, rights: frozenset[str] = RIGHTS
    ) -> Reply:
        """`path` is what follows `/Api/V8/`; `rights`: the user's, in every module. Raises
        SuiteError."""
        steps = [unquote(step) for step in path.split("/")]
        with self._store.lock:
            match method, steps:
                case "GET", ["meta", "modules"]:
                    attributes = dict(self.schema.meta)
                    return Reply(200, {"data": {"type": "modules", "attributes": attributes}})
                case "GET", ["meta", "fields", name]:
                    return self._meta_fields(self._module(name))
                case "POST", ["module"]:
                    return self._create(body, rights)
                case "PATCH", ["module"]:
                    return self._update(body, rights)
                case "GET", ["module", name]:
                    _need("view", rights)
                    return self._list(self._module(name), search)
                case "GET", ["module", name, id]:
                    return self._get(self._module(name), _uuid(id), search, rights)
                case "DELETE", ["module", name, id]:
                    return self._delete(self._module(name), _uuid(id), rights)
                case _, ["module", name, id, "relationships", link, *rest]:
                    return self._related(method, self._module(name), id, link, rest, search, body)
        raise not_played("this resource")

    def _module(self, name: str) -> Module:
        if name not in self.schema.modules:
            raise not_played("this module")
        return self.schema.modules[name]

    def _meta_fields(self, module: Module) -> Reply:
        if module.fields is None:
            raise not_played("the metadata of this module")
        return Reply(200, {"data": {"type": "fields", "attributes": dict(module.fields)}})

    def _sent(self, body: Any) -> tuple[Module, str | None, dict[str, Any]]:
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict) or data.get("type") not in self.schema.modules:
            raise invalid_option("data", "array")
        attributes = data.get("attributes")
        if not isinstance(attributes, dict):
            raise not_played("a write without attributes")
        id = data.get("id")
        return self._module(data["type"]), None if id is None else _uuid(id), attributes

    def _create(self, body: Any, rights: frozenset[str]) -> Reply:
        module, id, attributes = self._sent(body)
        if not self._store.is_taken(module, id):  # an id that is taken is told first
            _need("edit", rights)
        row = self._store.create(module, id, attributes)
        return Reply(201, {"data": resource(module, row, None, after_write=True)})

    def _update(self, body: Any, rights: frozenset[str]) -> Reply:
        module, id, attributes = self._sent(body)
        if id is None:
            raise not_played("a PATCH without an id")
        self._store.get(module, id)
        _need("edit", rights)
        row = self._store.update(module, id, attributes)
        return Reply(201, {"data": resource(module, row, None, after_write=True)})

    def _delete(self, module: Module, id: str, rights: frozenset[str]) -> Reply:
        self._store.get(module, id)
        _need("delete", rights)
        self._store.delete(module, id)
        return _said(f"Record with id {id} is deleted")

    def _get(self, module: Module, id: str, search: str, rights: frozenset[str]) -> Reply:
        row = self._store.get(module, id)
        _need("view", rights)
        names = query.fields(module, query.parse(search, ("fields",)))
        return Reply(200, {"data": resource(module, row, names)})

    def _list(self, module: Module, search: str) -> Reply:
        asked = query.parse(search, ("fields", "filter", "page", "sort"))
        meets = query.selector(module, asked.get("filter", {}))
        rows = [row for row in self._store.rows(module) if meets(row)]
        rows = _sorted(module, rows, asked.get("sort"))
        page = asked.get("page", {})
        size, number = _whole(page, "size", _DEFAULT_SIZE), _whole(page, "number", 1)
        shown = rows[size * (number - 1) : size * number]
        if not shown:
            return Reply(200, {"meta": _NOTHING, "data": []})
        names = query.fields(module, asked)
        data = {"data": [resource(module, row, names) for row in shown]}
        if "size" not in page:
            return Reply(200, data)
        last = math.ceil(len(rows) / size)
        meta = {"meta": {"total-pages": last, "records-on-this-page": len(shown)}}
        if "number" not in page:
            # The real server's `next` is wrong here; how it is wrong wasn't recorded.
            return Reply(200, {**meta, **data})
        return Reply(200, {**meta, **data, "links": _links(module, search, number, last)})

    def _related(
        self,
        method: str,
        module: Module,
        id: str,
        link: str,
        rest: list[str],
        search: str,
        body: Any,
    ) -> Reply:
        self._store.get(module, id)
        other = next((m for m, way in module.relationships.items() if way == link), None)
        if other is None or other not in self.schema.modules:
            raise refused(f"Cannot load relationship {link} for {module.bean} module")
        if method == "GET" and "fields" in query.parse(search, ("fields",)):
            raise refused(
                'The option "fields" does not exist. Defined options are: "filter", "id", '
                '"linkFieldName", "moduleName", "page", "sort", "sourceBean".'
            )
        if method == "POST" and not rest:
            return self._relate(module, id, link, body)
        if method == "DELETE" and len(rest) == 1:
            target = self._module(other)
            if not self._store.part(module.name, id, link, rest[0]):
                raise not_played("parting what isn't related")
            return _said(
                f"Relationship has been deleted between {module.bean} with id {id} and "
                f"{target.bean} with id {rest[0]}"
            )
        raise not_played("this way to use a relationship")

    def _relate(self, module: Module, id: str, link: str, body: Any) -> Reply:
        try:
            other, other_id = self._module(body["data"]["type"]), _uuid(body["data"]["id"])
        except (KeyError, TypeError):
            raise not_played("a relation without type and id") from None
        self._store.get(other, other_id)
        self._store.relate(module.name, id, link, other_id)
        meta = {
            "message": f"{other.name} record with id {other_id} has been related to {module.name} "
            f"record with id {id} using link {link}",
            "sourceModule": module.name,
            "sourceModuleLabel": module.name,
            "sourceId": id,
            "relatedModule": other.name,
            "relatedModuleLabel": other.name,
            "relatedId": other_id,
            "relationshipLink": link,
        }
        return Reply(201, {"meta": meta, "data": []})


def _need(right: str, rights: frozenset[str]) -> None:
    if right not in rights:
        raise access_denied()


def _said(message: str) -> Reply:
    return Reply(200, {"meta": {"message": message}, "data": []})


def _uuid(id: Any) -> str:
    try:
        UUID(id)
    except (ValueError, AttributeError, TypeError):
        raise invalid_option("id", f'"{id}"') from None
    return str(id)


def _sorted(module: Module, rows: list[Row], sort: Any) -> list[Row]:
    """By one column; rows with the same value come in no order to rely on."""
    if sort is None:
        return rows
    column, down = str(sort).removeprefix("-"), str(sort).startswith("-")
    if column == "id":
        return sorted(rows, key=lambda row: row.id, reverse=down)
    if column not in module.attributes:
        raise not_played("sorting by what isn't there")
    return sorted(rows, key=lambda row: collated(str(row.values[column])), reverse=down)


def _whole(page: Any, name: str, default: int) -> int:
    text = page.get(name, str(default)) if isinstance(page, dict) else ""
    if not text.isdigit() or int(text) < 1:
        raise not_played("a page that is no number from 1 on")
    return int(text)


def _links(module: Module, search: str, number: int, last: int) -> dict[str, str]:
    """First, previous, next and last page, as far as there are any."""
    before, after = unquote(search).split(f"page[number]={number}")
    pages = {"first": 1, "prev": number - 1, "next": number + 1, "last": last}
    return {
        name: f"V8/module/{module.name}?{before}page[number]={page}{after}"
        for name, page in pages.items()
        if 1 <= page <= last
    }
