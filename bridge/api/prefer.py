"""How long the caller waits, and what they want back: the Prefer header (RFC 7240).

Not for: waiting itself. Preferences that we don't know, or that are malformed, are ignored, as
section 2 asks; the first of a name counts.
"""

import re
from dataclasses import dataclass, field

import flask

LONGEST = 5.0
"""Seconds that a request waits for its outcome at most, and by default."""

_PREFERENCE = re.compile(r'\s*([A-Za-z-]+)\s*(?:=\s*"?([A-Za-z0-9-]*)"?)?\s*(?:;.*)?')


@dataclass(frozen=True)
class Preferences:
    """`seconds` to wait, and whether the record is wanted back. `asked`: as they were sent."""

    seconds: float
    representation: bool
    asked: dict[str, str] = field(default_factory=dict)

    def applied(self, status: int) -> str:
        """The value of Preference-Applied (section 3) on an answer of `status`; "" for none."""
        pending = status == 202
        names = []
        if "respond-async" in self.asked and pending:
            names.append("respond-async")
        if "wait" in self.asked and _seconds(self.asked["wait"]) == self.seconds:
            names.append(f"wait={int(self.seconds)}")
        if "return" in self.asked and not pending:
            kind = "minimal" if status == 204 else "representation"
            names += [f"return={kind}"] if self.asked["return"] == kind else []
        return ", ".join(names)


def preferences() -> Preferences:
    """Of the request at hand. `respond-async` alone means not to wait at all; with `wait=N`, that
    long first (section 4.1 and 4.3)."""
    asked: dict[str, str] = {}
    for line in flask.request.headers.getlist("Prefer"):
        for part in line.split(","):
            found = _PREFERENCE.fullmatch(part)
            if found:
                asked.setdefault(found[1].lower(), (found[2] or "").lower())
    wished = _seconds(asked.get("wait", ""))
    if wished is not None:
        seconds = min(wished, LONGEST)
    else:
        seconds = 0.0 if "respond-async" in asked else LONGEST
    return Preferences(seconds, asked.get("return") == "representation", asked)


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else None
