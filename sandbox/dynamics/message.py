"""A request and an answer of the Web API as data, the same inside a $batch as outside."""

import dataclasses
import fnmatch
import re
from typing import Any

import orjson

from sandbox.dynamics.security import User

JSON_TYPE = "application/json; odata.metadata=minimal"


@dataclasses.dataclass(frozen=True)
class Preferences:
    """The Prefer header in all its forms: quoted or not, one header or several."""

    representation: bool
    page_size: int | None
    annotations: tuple[str, ...]
    continue_on_error: bool
    track_changes: bool

    def wants(self, annotation: str) -> bool:
        """Whether this annotation was asked for (`*` and trailing wildcards count)."""
        return any(fnmatch.fnmatchcase(annotation, pattern) for pattern in self.annotations)

    @property
    def applied(self) -> str:
        """The Preference-Applied header."""
        parts = ["return=representation"] if self.representation else []
        if self.page_size is not None:
            parts.append(f"odata.maxpagesize={self.page_size}")
        if self.annotations:
            parts.append(f'odata.include-annotations="{",".join(self.annotations)}"')
        if self.continue_on_error:
            parts.append("odata.continue-on-error")
        if self.track_changes:
            parts.append("odata.track-changes")
        return ",".join(parts)


PREFERENCE = re.compile(r'\s*([A-Za-z.\-]+)\s*(?:=\s*("[^"]*"|[^,]*))?\s*(?:,|$)')


def preferences(header: str) -> Preferences:
    """Parse Prefer; what isn't known is ignored, as RFC 7240 says."""
    found: dict[str, str] = {}
    for name, value in PREFERENCE.findall(header):
        bare = name.lower().removeprefix("odata.")
        found.setdefault(bare, value.strip().strip('"'))
    size = found.get("maxpagesize", "")
    return Preferences(
        representation=found.get("return") == "representation",
        page_size=min(int(size), 5000) if size.isdecimal() and int(size) > 0 else None,
        annotations=tuple(a.strip() for a in found.get("include-annotations", "").split(",") if a),
        continue_on_error=found.get("continue-on-error", "false") != "false",
        track_changes="track-changes" in found,
    )


@dataclasses.dataclass(frozen=True)
class Request:
    """One operation. `target` is what follows `/api/data/vX.Y/`, still percent-encoded."""

    method: str
    base: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    user: User
    in_batch: bool = False
    in_change_set: bool = False

    @property
    def path(self) -> str:
        """The part before the question mark."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The part after it."""
        return self.target.partition("?")[2]

    @property
    def prefer(self) -> Preferences:
        """The parsed Prefer header."""
        return preferences(self.headers.get("prefer", ""))


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer ready to send; `entity` is the record it is about (`contacts(id)`)."""

    status: int
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    entity: str = ""


def json_reply(status: int, document: Any, headers: dict[str, str] | None = None) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, {"Content-Type": JSON_TYPE} | (headers or {}), orjson.dumps(document))
