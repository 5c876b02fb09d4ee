"""Adapters by name, imported only when used. Not for: what they are made of (`parts.py`)."""

import importlib
from collections.abc import Mapping as Dict
from typing import Any

from adapters.base import Adapter, Remote
from mappings.loader import Mapping

KNOWN: Dict[str, str] = {
    "dynamics": "adapters.dynamics.adapter:Dynamics",
    "memory": "adapters.memory:Memory",
    "suitecrm": "adapters.suitecrm.adapter:SuiteCrm",
}
"""Name -> `package.module:Class`. An adapter of somebody else's is named by its path itself."""


def make(name: str, mapping: Mapping, remote: Remote) -> Adapter:
    """The adapter of this name. Raises LookupError where there is none."""
    return adapter_class(name)(mapping, remote)


def check_options(
    name: str, options: Dict[str, Any], credential: Dict[str, str] | None = None
) -> list[str]:
    """Every mistake in the `crm` section's options, and in this role's credential if given."""
    try:
        return adapter_class(name).check_options(options, credential)
    except LookupError as error:
        return [str(error)]


def adapter_class(name: str) -> type[Adapter]:
    """The class itself. Raises LookupError with what to do about it."""
    path = KNOWN.get(name, name)
    module, colon, attribute = path.partition(":")
    if not colon:
        known = ", ".join(KNOWN)
        raise LookupError(f"crm.adapter is none of {known}, nor package.module:Class")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise LookupError("crm.adapter names a class that can't be imported") from None
    if isinstance(found, type) and issubclass(found, Adapter):
        return found
    raise LookupError("crm.adapter names something that is no Adapter")
