"""One call of one route, as its view gets it; and its query string. Not for: answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import flask

from bridge.api.shapes import Shapes
from bridge.errors import FieldError, Problem
from bridge.parts import WebParts
from bridge.services import operations
from bridge.store.grants import Caller


@dataclass(frozen=True)
class Call:
    """`form`: the checked body, {} where the route takes none. `path`: the path's parts."""

    parts: WebParts
    shapes: Shapes
    caller: Caller | None
    form: dict[str, Any] = field(default_factory=dict, repr=False)
    path: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def by(self) -> Caller:
        """The caller of a route that has one. Raises Problem."""
        if self.caller is None:
            raise Problem("unauthenticated")
        return self.caller

    @property
    def member_id(self) -> str:
        """The CRM's id of the member who is signed in. Raises Problem."""
        if self.by.member_id is None:
            raise Problem("forbidden")
        return self.by.member_id

    @property
    def owner(self) -> str:
        """Under which name this caller owns operations."""
        caller = self.by
        return operations.owner(
            self.parts.names, member_id=caller.member_id, client=caller.client_id
        )


def query(*known: str) -> dict[str, str]:
    """The query's parameters. Raises Problem for an unknown one (unnamed, since a client's mistake
    can hold an address) or one that comes twice."""
    given = flask.request.args
    if any(name not in known for name in given):
        raise Problem("invalid-request", [FieldError("", "unknown-parameter")])
    for name in given:
        if len(given.getlist(name)) > 1:
            raise bad_parameter(name, "twice")
    return given.to_dict()


def bad_parameter(name: str, code: str) -> Problem:
    """A problem of the query parameter `name`, which is one of ours."""
    return Problem("invalid-request", [FieldError("", code)], extensions={"parameter": name})
