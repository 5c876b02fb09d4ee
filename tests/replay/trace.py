"""A client's exchanges as data: what is written down of them, and what of an answer is compared.

What an answer brings and a later request sends back (a proof, an ETag, a token) stands in the trace
as a reference `{{step/place}}`. In answers such a value is named by where it was seen first, so
that "the ETag of the next read is the ETag of the change" is compared. Not for: any one client
(`frontend.py`), or a line (`play.py`).
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests

TRACE = Path(__file__).with_name("trace.json")
OPAQUE = {"id", "operation", "challenge_id", "proof", "etag", "sub"}
OPAQUE |= {"access_token", "refresh_token", "receipt"}
"""Members of an answer's body whose values only this line knows."""
_TIMES = frozenset(("at", "member_since", "erased_at"))
HEADERS = ("Content-Type", "ETag", "Location", "Preference-Applied", "WWW-Authenticate")
SENT = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Prefer")
_LEFT_OUT = frozenset(("expires_in", "resend_in", "auth_time", "exp", "iat", "crm"))
"""Seconds that pass; and what the CRM can do, which is declared to differ."""
_OWN = frozenset(("favourite_model",))
"""The brand's own fields that every shipped mapping has; each may have more."""
_REFERENCE = re.compile(r"\{\{([^}]+)\}\}")


@dataclass
class Step:
    """One exchange, or something that happens outside of the client: `OUTBOX` is the code that came
    to the address `path`, `BROWSER` a sign-in on the hosted page. `needs`: the capability without
    which a CRM refuses it; `until`: asked again while the answer is 503."""

    name: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    form: dict[str, str] | None = None
    needs: str = ""
    until: bool = False
    answer: dict[str, Any] = field(default_factory=dict)


def load() -> list[Step]:
    """The recorded ones."""
    return [Step(**each) for each in json.loads(TRACE.read_text())["steps"]]


def dump(steps: list[Step]) -> str:
    """As the file holds them: what is empty is left out."""
    empty = (None, "", {}, False)
    shown = [{k: v for k, v in asdict(step).items() if v not in empty} for step in steps]
    return json.dumps({"steps": shown}, ensure_ascii=False, indent=1) + "\n"


class Known:
    """Values that answers brought so far, by reference, and where each was seen first."""

    def __init__(self, base: str) -> None:
        """`base`: the line's own URL, which is no part of a trace."""
        self._base = base
        self._by_reference: dict[str, str] = {}
        self._first: dict[str, str] = {}

    def learn(self, name: str, answer: requests.Response) -> None:
        """Everything opaque in it."""
        if "ETag" in answer.headers:
            self.put(f"{name}/ETag", answer.headers["ETag"])
        for place, value in _leaves(_body(answer)):
            if place.rpartition("/")[2] in OPAQUE and isinstance(value, str):
                self.put(f"{name}{place}", value)

    def put(self, reference: str, value: str) -> None:
        """One more."""
        self._by_reference[reference] = value
        self._first.setdefault(value, reference)

    def written(self, sent: Any) -> Any:
        """What a request says, with references where it says what an answer brought."""
        longest = sorted(self._by_reference.items(), key=lambda pair: (-len(pair[1]), pair[0]))

        def replaced(text: str) -> str:
            for reference, value in longest:
                if len(value) >= 6:
                    text = text.replace(value, f"{{{{{reference}}}}}")
            return text

        return _mapped(sent, lambda _, text: replaced(text))

    def filled(self, sent: Any) -> Any:
        """The reverse, with the values of this line."""
        return _mapped(
            sent, lambda _, text: _REFERENCE.sub(lambda found: self._by_reference[found[1]], text)
        )

    def answer(self, answer: requests.Response) -> dict[str, Any]:
        """What is compared of it."""
        headers = {
            name: self._header(name, answer.headers[name])
            for name in HEADERS
            if name in answer.headers
        }
        body = _mapped(_shared(_body(answer)), self._marked)
        return {"status": answer.status_code, "headers": headers, "body": body}

    def _header(self, name: str, value: str) -> str:
        if name == "ETag":
            return self._mark(value)
        if name == "Location":
            place, slash, last = value.removeprefix(self._base).rpartition("/")
            return f"{place}{slash}{self._mark(last)}"
        return value.replace(self._base, "")

    def _marked(self, key: str, value: str) -> str:
        if key in _TIMES:
            return "<time>"
        return self._mark(value) if key in OPAQUE else value.replace(self._base, "")

    def _mark(self, value: str) -> str:
        return f"<{self._first[value]}>" if value in self._first else value


def basic(client: str, secret: str) -> str:
    """RFC 7617."""
    return f"Basic {base64.b64encode(f'{client}:{secret}'.encode()).decode()}"


def _body(answer: requests.Response) -> Any:
    return answer.json() if "json" in answer.headers.get("Content-Type", "") else None


def _shared(value: Any, key: str = "") -> Any:
    """Without the brand's own fields that one mapping alone has."""
    if isinstance(value, Mapping):
        return {k: _shared(v, k) for k, v in value.items() if key != "ext" or k in _OWN}
    if isinstance(value, list):
        own = [f"ext.{name}" for name in _OWN]
        return [_shared(v) for v in value if not str(v).startswith("ext.") or v in own]
    return value


def _leaves(value: Any, place: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [leaf for key, each in value.items() for leaf in _leaves(each, f"{place}/{key}")]
    if isinstance(value, list):
        return [leaf for n, each in enumerate(value) for leaf in _leaves(each, f"{place}/{n}")]
    return [(place, value)]


def _mapped(value: Any, change: Callable[[str, str], str], key: str = "") -> Any:
    """The same with every text changed."""
    if isinstance(value, Mapping):
        return {k: _mapped(v, change, k) for k, v in value.items() if k not in _LEFT_OUT}
    if isinstance(value, list):
        return [_mapped(each, change, key) for each in value]
    return change(key, value) if isinstance(value, str) else value
