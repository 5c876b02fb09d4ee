"""A member's copy of what the CRM holds of them (GDPR article 15 and 20, PIPL article 45).

Not for: secrets (hash and stamp), the CRM's own ids, or what the bridge writes for itself.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from adapters.base import Found
from bridge.services import consents
from mappings.canonical import each_field
from mappings.loader import Mapping

_OURS = frozenset({"subject", "master", "last_operations"})
"""Not the person's: references and marks of the bridge and the CRM."""
_IDENTITY = ("kind", "value", "verified_at")


def fields(mapping: Mapping) -> tuple[str, ...]:
    """What to read of the member, their identities and consents among it."""
    onward = mapping.kinds["member"].collections
    ways = [f"identities.{name}" for name in _IDENTITY] if "identities" in onward else []
    ways += [f"consents.{name}" for name in consents.FIELDS] if "consents" in onward else []
    return (*_own(mapping), *ways)


def _own(mapping: Mapping) -> Iterator[str]:
    held = mapping.kinds["member"].fields
    for name, field in each_field(mapping.schema("member")):
        if name in held and name not in _OURS and not field.metadata["secret"]:
            yield name


def copy(mapping: Mapping, found: Found, at: datetime) -> dict[str, Any]:
    """Of `found`, read with `fields`, only those: a read brings what guards the session too. The
    newest consents first."""
    shown = dict.fromkeys(name.partition(".")[0] for name in _own(mapping))
    identities = (row.record for row in found.collections.get("identities", ()))
    return {
        "exported_at": at,
        "member": {name: found.record.get(name) for name in shown},
        "identities": sorted(
            ({name: row.get(name) for name in _IDENTITY} for row in identities),
            key=lambda row: (row["kind"] or "", row["value"] or ""),
        ),
        "consents": consents.history(found.collections.get("consents", ())),
    }
