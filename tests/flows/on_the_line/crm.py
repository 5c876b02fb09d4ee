"""The control plane of whichever CRM the sandbox plays, in the vocabulary's words.

For tests, which ask for what a CRM can do and never for its name. Not for: what the bridge asks of
it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import requests

from adapters import registry
from adapters.base import Adapter, FreeBudget, Remote, TokenCache
from bridge.cli.line import ROOT, Line
from mappings.binding import FieldBinding
from mappings.converters import Bool, OptionTable
from mappings.loader import load

What = Literal["read", "create", "update", "any"]


Match = dict[str, str]
"""Of a fault's rule: `method`, `path_prefix`, `path_regex`."""


@dataclass(frozen=True)
class Protocol:
    """How this CRM is asked for data: what each verb's requests have in common, and where the
    columns stand in the body of an update. `id`: the column of the id that we chose, where that
    isn't the CRM's own. `refusal`: the status by which it refuses a value. `sign_in`: reads that a
    sign-in costs, as the CRM's page declares."""

    matches: Mapping[str, Match]
    columns: Callable[[Any], Any] = lambda body: body
    id: str = ""
    refusal: int = 400
    sign_in: int = 2


def _by_method(prefix: str, **methods: str) -> dict[str, Match]:
    found = {what: {"path_prefix": prefix, "method": method} for what, method in methods.items()}
    return {"any": {"path_prefix": prefix}} | found


PROTOCOLS = {
    "dynamics": Protocol(
        _by_method("/api/data/", read="GET", create="POST", update="PATCH"), sign_in=1
    ),
    "suitecrm": Protocol(
        _by_method("/Api/V8/", read="GET", create="POST", update="PATCH"),
        lambda body: body["data"]["attributes"],
    ),
    "sugarcrm": Protocol(
        {
            "any": {"path_regex": "^/rest/(?!.*/oauth2/)"},
            "read": {"path_regex": "^/rest/.*/filter$", "method": "POST"},
            "create": {"path_regex": r"^/rest/v[0-9_]+/\w+\?", "method": "POST"},
            "update": {"path_prefix": "/rest/", "method": "PUT"},
        },
        id="sync_key",
        refusal=422,
    ),
}


class _Tokens:
    """A cache for one adapter of a test's own."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float]] = {}

    def get(self, name: str) -> tuple[str, float] | None:
        return self._kept.get(name)

    def put(self, name: str, token: str, seconds: float) -> None:
        self._kept[name] = token, seconds

    @contextmanager
    def single_flight(self, name: str, seconds: float) -> Iterator[bool]:
        yield True


class Crm:
    """Faults, rows and the log of requests."""

    def __init__(self, line: Line) -> None:
        """`line`: one that runs."""
        self.mapping = load(ROOT / "mappings" / f"{line.adapter}.yaml")
        self.can = registry.adapter_class(line.adapter).capabilities
        self._line, self._protocol = line, PROTOCOLS[line.adapter]
        self.reads_of_a_sign_in = self._protocol.sign_in
        self._url, self._ca = f"{line.crm['url']}/_sandbox", line.crm["ca_file"]

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = requests.request(
            method, f"{self._url}/{path}", verify=self._ca, timeout=20, **kwargs
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    # -- trouble --

    def fault(self, kind: str, times: int = 1, on: What = "any", **more: Any) -> None:
        """The next `times` matching calls for data meet `kind`."""
        match = self._protocol.matches[on]
        self._call("POST", "faults", json={"kind": kind, "times": times, "match": match, **more})

    def refuse(self, on: What, skip: int) -> None:
        """A value of the matching call behind the next `skip` is refused."""
        self.fault("status", on=on, status=self._protocol.refusal, skip=skip)

    def calm(self) -> None:
        """No faults."""
        self._call("DELETE", "faults")

    # -- what it holds --

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """All records of a kind, by canonical names."""
        binding = self.mapping.kinds[kind]
        rows = self._call("GET", "state")["tables"].get(binding.entity_set, [])
        return [
            {"id": row[self._protocol.id or binding.id_column]}
            | {name: _held(field, row.get(field.column)) for name, field in binding.fields.items()}
            for row in rows
        ]

    def rows_of(self, kind: str, member: dict[str, Any]) -> list[dict[str, Any]]:
        """Those that name this member."""
        return [row for row in self.rows(kind) if row["member"] == member["id"]]

    def members(self, mobile: str) -> list[dict[str, Any]]:
        """Those with this mobile."""
        return [row for row in self.rows("member") if row["mobile"] == mobile]

    def member(self, mobile: str) -> dict[str, Any]:
        """The one with this mobile."""
        (found,) = self.members(mobile)
        return found

    def column(self, field: str) -> str:
        """What this CRM calls a member's field."""
        return self.mapping.kinds["member"].fields[field].column

    # -- what was asked --

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """For data, in order."""
        return self.asked("any", since)

    def asked(self, what: What, since: int = 0) -> list[dict[str, Any]]:
        """The requests of one verb."""
        match = self._protocol.matches[what]
        asked = self._call("GET", f"requests?since={since}")["requests"]
        return [each for each in asked if _meets(each, match)]

    def last(self) -> int:
        """The number of the newest request."""
        return max((each["n"] for each in self.requests()), default=0)

    def effects(self, field: str, since: int) -> list[str]:
        """The values of a member's field that updates brought here, in order."""
        column, columns = self.column(field), self._protocol.columns
        done = [r for r in self.asked("update", since) if r["status"] in (200, 201, 204)]
        bodies = [columns(each["body"]) or {} for each in done]
        return [body[column] for body in bodies if column in body]

    # -- as staff would --

    @contextmanager
    def _staff(self) -> Iterator[Adapter]:
        told, tokens = self._line.crm, _Tokens()
        cache: TokenCache = tokens  # type: ignore[assignment]
        remote = Remote(told["options"], told["writer"], cache, FreeBudget(), "now")
        adapter = registry.make(self._line.adapter, self.mapping, remote)
        try:
            yield adapter
        finally:
            adapter.close()

    def edit(self, id: str, **changes: Any) -> None:
        """A member's record is changed in the CRM itself."""
        with self._staff() as crm:
            crm.update("member", id, changes, crm.get("member", id, ()).version)

    def remove(self, id: str) -> None:
        """A member's record is deleted in the CRM itself."""
        with self._staff() as crm:
            crm.erase("member", id)


def _meets(asked: Mapping[str, Any], match: Match) -> bool:
    return (
        asked["method"] == match.get("method", asked["method"])
        and asked["path"].startswith(match.get("path_prefix", ""))
        and re.search(match.get("path_regex", ""), asked["path"]) is not None
    )


def _held(field: FieldBinding, raw: Any) -> Any:
    """Near enough to the canonical value for a test to compare."""
    if isinstance(field.converter, Bool):
        return raw in (True, 1, "1")
    if isinstance(raw, list):  # of e-mail addresses
        raw = next((each["email_address"] for each in raw if each.get("primary_address")), "")
    if raw == "":
        return None
    return field.converter.load(raw) if isinstance(field.converter, OptionTable) else raw
