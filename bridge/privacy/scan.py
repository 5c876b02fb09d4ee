"""One scan: canaries on one side, places on the other. Not for: planting or driving anything."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.privacy.forms import Canary, Finder
from bridge.privacy.places import Piece


@dataclass(frozen=True, order=True)
class Finding:
    """A canary that rests somewhere. Names the field and the place, never the value."""

    place: str
    field: str


class Scan:
    """Collects findings over any number of places, and counts what was looked at."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        held = list(canaries)
        self._finder = Finder(held)
        self.canaries = len(held)
        self.pieces = 0
        self.bytes = 0
        self.places: set[str] = set()
        self.findings: set[Finding] = set()

    def look(self, pieces: Iterable[Piece]) -> None:
        """Look through `pieces`."""
        for place, data in pieces:
            self.pieces += 1
            self.bytes += len(data)
            self.places.add(place)
            self.findings |= {Finding(place, field) for field in self._finder.find(data)}

    def summary(self) -> dict[str, int]:
        """Counts for the report."""
        return {
            "canaries": self.canaries,
            "places": len(self.places),
            "pieces": self.pieces,
            "bytes": self.bytes,
            "findings": len(self.findings),
        }
