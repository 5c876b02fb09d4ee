"""Makes what a mapping needs in a Dataverse environment, by the metadata Web API.

Only names with the mapping's prefix are made; what is there isn't changed, but for options that a
choice of ours lacks. Each step is one component, so that a run that was cut off is taken up by the
next. Not for: users' rights (`access.py`), the JSON that is sent (`definitions.py`).
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from adapters.answers import document
from adapters.base import Remote
from adapters.dynamics import options as option_rules
from adapters.dynamics.access import Access
from adapters.dynamics.client import JSON_BODY, READING, Call, Client
from adapters.dynamics.definitions import Definitions, Document
from adapters.errors import BadMapping, Malformed, NotFound, Throttled
from adapters.needs import Need
from adapters.provisioning import Installer, ProvisionTrouble, Step
from mappings.loader import Mapping as CrmMapping

_OPTION_VALUES = 10_000
"""Values that each publisher's prefix for options stands for."""
_DEFAULT_OPTIONS = 53412
_SOLUTION = "CrmBridge"
_SETTLES = 120.0  # seconds until what was made can be read
_BUILT = 900.0  # seconds until a key's index is active
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_TRIES = 5
# Metadata may come from a cache of the server's (compose-http-requests-handle-errors).
_STRONG = {**READING, "Consistency": "Strong"}


class DataverseApi:
    """The Web API for a tool: waits where the environment asks to."""

    def __init__(self, client: Client, root: str) -> None:
        """`root`: the service's absolute URL."""
        self._client = client
        self._root = root

    def url(self, target: str) -> str:
        """Absolute, as a reference to a row has to be."""
        return f"{self._root}{target}"

    def get(self, target: str) -> Document:
        """A JSON object."""
        return document(self._call(Call("GET", target, _STRONG)))

    def rows(self, target: str) -> list[Document]:
        """A list of objects; tools ask for few. Raises Malformed."""
        found = self.get(target).get("value")
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise Malformed
        return found

    def post(self, target: str, sent: Document, *, solution: bool = False) -> None:
        """Make something; `solution`: it belongs to ours."""
        headers = {**JSON_BODY, **({"MSCRM.SolutionUniqueName": _SOLUTION} if solution else {})}
        self._call(Call("POST", target, headers, json.dumps(sent).encode()))

    def is_there(self, target: str) -> bool:
        """Can it be read?"""
        try:
            self.get(target)
        except (NotFound, BadMapping):
            return False
        return True

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _call(self, call: Call) -> Any:
        for _ in range(_TRIES):
            try:
                return self._client.call(call, None)
            except Throttled as error:
                time.sleep(min(error.retry_after, 60.0))
        return self._client.call(call, None)


class DataverseInstaller(Installer):
    """Steps against one environment."""

    def __init__(self, mapping: CrmMapping, remote: Remote, users: Mapping[str, str]) -> None:
        self._mapping = mapping
        self._prefix = mapping.prefix
        options = option_rules.read(remote.options, remote.credential)
        self._api = DataverseApi(Client(options, remote), f"{options.url}{options.root}")
        self._access = Access(self._api, mapping, users)
        if not self._prefix:
            raise ProvisionTrouble(["the mapping has no prefix, so nothing in it is ours to make"])

    def steps(self, listed: Sequence[Need]) -> Iterator[Step]:
        """See Installer."""
        made = list(self._components(listed))
        if made:
            yield from self._home()
            yield from made
            tables = {n.table for n in listed if n.trouble and self._is_made(n)}
            yield Step("publishing", "what was made", partial(self._publish, sorted(tables)))
        yield from self._access.steps(listed)
        self.notes = self._access.notes

    def close(self) -> None:
        """See Installer."""
        self._api.close()

    def _components(self, listed: Sequence[Need]) -> Iterator[Step]:
        """Tables first, since columns need them; keys last, since their index takes a while."""
        missing = [n for n in listed if n.trouble == "missing" and self._is_made(n)]
        for need in missing:
            if need.what == "table":
                yield Step("table", need.name, partial(self._table, need))
        for need in missing:
            if need.what == "column" and need.field:
                make = self._lookup if need.given == "lookup" else self._column
                yield Step("column", f"{need.name} of {need.table}", partial(make, need))
        for need in listed:
            for value in need.absent if self._is_ours(need.name) else ():
                yield Step("option", f"{value} of {need.name}", partial(self._option, need, value))
        for need in listed:
            if need.what == "key" and need.trouble and self._is_ours(need.name):
                yield from self._key_steps(need)

    def _is_ours(self, name: str) -> bool:
        return name.removeprefix("_").startswith(f"{self._prefix}_")

    def _is_made(self, need: Need) -> bool:
        """A column of somebody else's table is ours too, by its name."""
        return self._is_ours(need.name)

    def _home(self) -> Iterator[Step]:
        """The publisher whose prefix it is, and a solution that holds what is made."""
        filtered = f"$filter=customizationprefix eq '{self._prefix}'".replace(" ", "%20")
        if not self._api.rows(f"publishers?$select=publisherid&{filtered}"):
            yield Step("publisher", self._prefix, self._publisher)
        named = f"$filter=uniquename eq '{_SOLUTION}'".replace(" ", "%20")
        if not self._api.rows(f"solutions?$select=solutionid&{named}"):
            yield Step("solution", _SOLUTION, self._solution)

    def _publisher(self) -> None:
        self._api.post(
            "publishers",
            {
                "uniquename": f"{self._prefix}_crm_bridge",
                "friendlyname": "CRM bridge",
                "customizationprefix": self._prefix,
                "customizationoptionvalueprefix": self._option_prefix(),
            },
        )

    def _option_prefix(self) -> int:
        """The one that the mapping's own option values begin with."""
        values = [
            value
            for kind in self._mapping.kinds.values()
            for field in kind.fields.values()
            if self._is_ours(field.column)
            for value in (getattr(field.converter, "options", None) or {}).values()
            if isinstance(value, int) and not isinstance(value, bool)
        ]
        prefixes = {value // _OPTION_VALUES for value in values}
        return prefixes.pop() if len(prefixes) == 1 else _DEFAULT_OPTIONS

    def _solution(self) -> None:
        filtered = f"$filter=customizationprefix eq '{self._prefix}'".replace(" ", "%20")
        (publisher, *_) = self._api.rows(f"publishers?$select=publisherid&{filtered}")
        self._api.post(
            "solutions",
            {
                "uniquename": _SOLUTION,
                "friendlyname": "CRM bridge",
                "version": "1.0.0.0",
                "publisherid@odata.bind": f"/publishers({publisher['publisherid']})",
            },
        )

    # -- components -----------------------------------------------------------------------

    def _definitions(self) -> Definitions:
        """Labels are in the language that the environment shows the contact's own name in."""
        told = self._api.get(f"{_place('contact')}?$select=DisplayName")
        shown = (told.get("DisplayName") or {}).get("UserLocalizedLabel") or {}
        return Definitions(self._prefix, int(shown.get("LanguageCode") or 1033))

    def _table(self, need: Need) -> None:
        kind = self._mapping.kinds[need.kind]
        sent = self._definitions().table(need, kind.entity_set)
        self._api.post("EntityDefinitions", sent, solution=True)
        # A definition can be asked for only some time after it was made.
        self._wait(lambda: self._api.is_there(f"{_place(need.table)}?$select=LogicalName"))

    def _column(self, need: Need) -> None:
        sent = self._definitions().column(need)
        self._api.post(f"{_place(need.table)}/Attributes", sent, solution=True)

    def _lookup(self, need: Need) -> None:
        binding = self._mapping.kinds[need.kind].fields[need.field.partition(".")[2]]
        target = self._mapping.kinds[need.to]
        way = binding.navigation
        if need.name != f"_{way.lower()}_value":
            raise ProvisionTrouble([f"{need.field}: column and navigation name different lookups"])
        sent = self._definitions().lookup(
            need, way, self._relationship(need, way), target.table, target.id_column
        )
        self._api.post("RelationshipDefinitions", sent, solution=True)

    def _relationship(self, need: Need, way: str) -> str:
        """Its schema name is also what the way back is called, which the mapping may name."""
        field = need.field.partition(".")[2]
        for collection in self._mapping.kinds[need.to].collections.values():
            if (collection.kind, collection.lookup) == (need.kind, field):
                return collection.navigation
        return f"{self._prefix}_{self._mapping.kinds[need.to].table}_{need.table}_{way}"

    def _option(self, need: Need, value: Any) -> None:
        word = next(word for word, own in need.options.items() if own == value)
        sent = self._definitions().option(need, word, value, _SOLUTION)
        self._api.post("InsertOptionValue", sent)

    def _publish(self, tables: list[str]) -> None:
        entities = "".join(f"<entity>{table}</entity>" for table in tables)
        xml = f"<importexportxml><entities>{entities}</entities></importexportxml>"
        self._api.post("PublishXml", {"ParameterXml": xml})

    # -- keys -----------------------------------------------------------------------------

    def _key_steps(self, need: Need) -> Iterator[Step]:
        if need.trouble == "missing":
            yield Step("key", need.name, partial(self._key, need))
        elif need.trouble.endswith("Failed"):
            yield Step("key", f"{need.name}, once more", partial(self._reactivate, need))
        if need.trouble == "missing" or need.trouble.startswith("is not active"):
            yield Step("waiting for key", need.name, partial(self._active, need))

    def _key(self, need: Need) -> None:
        column = self._mapping.kinds[need.kind].fields[need.field.partition(".")[2]].column
        sent = self._definitions().key(need, column)
        self._api.post(f"{_place(need.table)}/Keys", sent, solution=True)

    def _reactivate(self, need: Need) -> None:
        sent = {"EntityLogicalName": need.table, "EntityKeyLogicalName": need.name}
        self._api.post("ReactivateEntityKey", sent)

    def _active(self, need: Need) -> None:
        """Its index is built in the background. Raises ProvisionTrouble where it can't be."""

        def done() -> bool:
            select = "$select=SchemaName,EntityKeyIndexStatus"
            rows = self._api.rows(f"{_place(need.table)}/Keys?{select}")
            status = {str(r.get("SchemaName")).lower(): r.get("EntityKeyIndexStatus") for r in rows}
            if status.get(need.name) in ("Failed", 3):
                raise ProvisionTrouble(
                    [f"key {need.name}: its index failed; two records have the same value"]
                )
            return status.get(need.name) in ("Active", 2)

        self._wait(done, _BUILT)

    @staticmethod
    def _wait(done: Callable[[], bool], longest: float = _SETTLES) -> None:
        end, pause = time.monotonic() + longest, _FIRST_PAUSE
        while not done():
            if time.monotonic() > end:
                raise ProvisionTrouble(["it wasn't ready in time: run this again later"])
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _place(table: str) -> str:
    return f"EntityDefinitions(LogicalName='{quote(table, safe='')}')"
