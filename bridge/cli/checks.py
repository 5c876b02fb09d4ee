"""One line of a checklist, and the sheet that prints lines as they come. Not for: any one check."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import click

State = Literal["ok", "failed", "unsure"]
_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "failed": ("✗", "red"),
    "unsure": ("–", "yellow"),
}


@dataclass(frozen=True)
class Check:
    """`unsure`: it couldn't be told, or it works but should be looked at. `do`: what to do about
    it. Neither text ever holds a secret, a URL's query or a remote system's own words."""

    name: str
    state: State
    what: str
    do: str = ""


def ok(name: str, what: str) -> Check:
    """It holds."""
    return Check(name, "ok", what)


def failed(name: str, what: str, do: str = "") -> Check:
    """It doesn't hold; the process can't do its work, or a promise is broken."""
    return Check(name, "failed", what, do)


def unsure(name: str, what: str, do: str = "") -> Check:
    """It can't be told from here, or needs a look."""
    return Check(name, "unsure", what, do)


class Sheet:
    """Prints each line as it comes; or one JSON object at the end."""

    def __init__(self, role: str, as_json: bool) -> None:
        self._role, self._as_json = role, as_json
        self.checks: list[Check] = []

    def add(self, checks: Iterable[Check]) -> Iterator[Check]:
        """Each line, after it was printed."""
        for check in checks:
            self.checks.append(check)
            if not self._as_json:
                self._print(check)
            yield check

    def all(self, checks: Iterable[Check]) -> bool:
        """Print all of them. True if none failed."""
        return "failed" not in [check.state for check in self.add(checks)]

    def end(self) -> int:
        """The last line. 0, or 1 where something failed."""
        states = [check.state for check in self.checks]
        bad = states.count("failed")
        if self._as_json:
            lines = [asdict(check) for check in self.checks]
            click.echo(json.dumps({"role": self._role, "ok": not bad, "checks": lines}, indent=2))
        else:
            click.echo(
                f"{states.count('ok')} hold, {bad} fail, {states.count('unsure')} to look at "
                f"(role {self._role})"
            )
        return 1 if bad else 0

    @staticmethod
    def _print(check: Check) -> None:
        mark, colour = _MARKS[check.state]
        click.echo(f"{click.style(mark, fg=colour)} {check.name}: {check.what}")
        if check.do:
            click.echo(f"    → {check.do}")
        sys.stdout.flush()
