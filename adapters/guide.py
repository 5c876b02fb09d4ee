"""What an operator of one CRM should know: data for `doctor` and `provision`.

Not for: what the bridge does at run time; nothing of it is read while it serves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Guide:
    """`column_types`: a mapping's `type` -> the CRM's own column types that can hold it, the one to
    make first; a missing one isn't checked. `privileges`: read, create, update, erase, link (set a
    lookup), linked (be set as one) -> the CRM's name. `advice`: a `remote_code`, or a `CrmError`'s
    `code`, -> what to do. `notes`: sentences that go below the plan. `lengths`: a mapping's `type`
    -> characters of a column that is made for it, where neither mapping nor vocabulary says.
    `own_columns`: an option of `crm.options` -> the text column that every table has for it, by
    default, and its length. `installer`, `packager`: `module:Class` of what makes tables and
    columns (`adapters/provisioning.py`), "" where there is none; `package_advice`: what to do with
    the package."""

    column_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    privileges: Mapping[str, str] = field(default_factory=dict)
    advice: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lengths: Mapping[str, int] = field(default_factory=dict)
    own_columns: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    installer: str = ""
    packager: str = ""
    package_advice: str = ""
