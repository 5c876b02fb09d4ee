"""Adapters by name, imported only when used. Not for: what they are made of (`parts.py`)."""

import importlib
from collections.abc import Mapping as Dict
from typing import Any, cast

from adapters.base import Adapter, Remote
from adapters.provisioning import Installer, Packager
from mappings.loader import Mapping

KNOWN: Dict[str, str] = {
    "dynamics": "adapters.dynamics.adapter:Dynamics",
    "memory": "adapters.memory:Memory",
    "sugarcrm": "adapters.sugarcrm.adapter:SugarCrm",
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
    if ":" not in path:
        known = ", ".join(KNOWN)
        raise LookupError(f"crm.adapter is none of {known}, nor package.module:Class")
    try:
        return cast(type[Adapter], _load(path, Adapter))
    except (ImportError, AttributeError):
        raise LookupError("crm.adapter names a class that can't be imported") from None
    except TypeError:
        raise LookupError("crm.adapter names something that is no Adapter") from None


def installer(path: str) -> type[Installer]:
    """The class that an adapter's guide names."""
    return cast(type[Installer], _load(path, Installer))


def packager(path: str) -> type[Packager]:
    """The class that an adapter's guide names."""
    return cast(type[Packager], _load(path, Packager))


def _load(path: str, wanted: type) -> type:
    """The class at `package.module:Class`. Raises ImportError, AttributeError; TypeError where it
    is no `wanted`."""
    module, _, attribute = path.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, type) and issubclass(found, wanted):
        return found
    raise TypeError
