"""How a CRM gets the tables and columns that a mapping needs: the contract behind `provision`.

A CRM takes them by its API (`Installer`) or as a package that its administrator installs
(`Packager`); its `Guide` names the class. Nothing here ever deletes. Not for: run time.
"""

import io
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from adapters.base import Remote
from adapters.needs import Need
from mappings.loader import Mapping as CrmMapping


class ProvisionTrouble(Exception):
    """It can't be made from this mapping or with what was given. `problems`: a sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Step:
    """One thing to make. `make` does it and returns when it is there. Raises CrmError, or
    ProvisionTrouble; the next run's steps begin at what is there then."""

    what: str
    name: str
    make: Callable[[], None] = attribute(repr=False)


class Installer(ABC):
    """Makes what is missing by the CRM's API, as an administrator. `notes`: what `steps` found that
    only a person can do, a sentence each."""

    notes: Sequence[str] = ()

    @abstractmethod
    def __init__(self, mapping: CrmMapping, remote: Remote, users: Mapping[str, str]) -> None:
        """`users`: "reader", "writer" -> what the CRM calls that user, where it is known."""

    @abstractmethod
    def steps(self, listed: Sequence[Need]) -> Iterable[Step]:
        """What is to be made, in order, so that a run that was cut off is taken up by the next.
        Looks at the CRM; changes nothing yet. Raises CrmError."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""


class Packager(ABC):
    """Writes a package for the CRM's own installer."""

    @abstractmethod
    def __init__(self, mapping: CrmMapping, options: Mapping[str, Any]) -> None:
        """`options`: the `crm` section's."""

    @abstractmethod
    def files(self) -> Iterator[tuple[str, str]]:
        """(path in the package, content), the same for the same mapping."""

    def packed(self) -> bytes:
        """A zip file, byte for byte the same for the same mapping."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as package:
            for path, content in sorted(self.files()):
                entry = zipfile.ZipInfo(path, _NO_TIME)
                entry.external_attr = 0o644 << 16
                package.writestr(entry, content)
        return made.getvalue()


_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""A zip's first moment."""
