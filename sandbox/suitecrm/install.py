"""What the module loader makes of a package: columns of Contacts, and modules with their tables.

Not for: reading the package (`sandbox/kit/package.py`). Source: the module loader of 7.14.6.
"""

import copy
import re
from typing import Any

from sandbox.kit.package import CustomModule, Package
from sandbox.suitecrm.schema import Document

SUGAR, SUITE = "6.5.25", "7.14.6"
# What modules/DynamicFields/FieldCases.php knows, and what of these is a text in the database.
_TEXTS = ("varchar", "enum", "phone", "url")
_KNOWN = (*_TEXTS, "text", "bool", "date", "decimal", "id", "int", "datetime")
_ACCESS = ["access", "delete", "edit", "export", "import", "list", "massupdate", "view"]
_BASIC: dict[str, Any] = {"name": "", "date_entered": "", "date_modified": "", "deleted": "0"}
_BASIC_FIELDS: dict[str, dict[str, Any]] = {
    "id": {"type": "id", "required": True, "dbType": "id"},
    "name": {"type": "name", "len": "255", "required": False, "dbType": "varchar"},
    "date_entered": {"type": "datetime", "required": False, "dbType": "datetime"},
    "date_modified": {"type": "datetime", "required": False, "dbType": "datetime"},
    "deleted": {"type": "bool", "default": "0", "required": False, "dbType": "bool"},
}


def install(document: Document, package: Package) -> Document:
    """The server's modules with what the package brings; what is there already stays. Raises
    ValueError where the loader would refuse."""
    _accepted(package.manifest)
    changed = copy.deepcopy(document)
    for module in package.modules:
        if module.name in changed["modules"]:
            _extend(changed["modules"][module.name], module)
        else:
            changed["modules"][module.name] = _made(module)
        if module.tab:  # Api/V8/Helper/ModuleListProvider.php lists no others
            label = package.texts.get("moduleList", {}).get(module.name, "")
            changed["meta"][module.name] = {"label": label, "access": list(_ACCESS)}
    for row in package.custom_fields:
        entry = changed["modules"].get(row.get("module"))
        if entry is not None:  # the loader passes over a module that it doesn't know
            _add(entry, _field_name(row), _custom(row))
    return changed


def _accepted(manifest: dict[str, Any]) -> None:
    for key, own in (("acceptable_sugar_versions", SUGAR), ("acceptable_suitecrm_versions", SUITE)):
        patterns = manifest.get(key, {}).get("regex_matches")
        if patterns is not None and not any(re.search(each, own) for each in patterns):
            raise ValueError(f"{key}: not for {own}")


def _made(module: CustomModule) -> dict[str, Any]:
    if "basic" not in module.templates:
        raise ValueError(f"{module.name}: not of the template basic")
    made: dict[str, Any] = {
        "bean": module.name,
        "attributes": dict(_BASIC),
        "relationships": {"Users": "created_by_link"},
        "fields": copy.deepcopy(_BASIC_FIELDS),
    }
    _extend(made, module)
    return made


def _extend(entry: dict[str, Any], module: CustomModule) -> None:
    for name, given in module.fields.items():
        shown = {key: given[key] for key in ("type", "len", "precision", "default") if key in given}
        _add(entry, name, {"required": False, **shown})


def _custom(row: dict[str, Any]) -> dict[str, Any]:
    made = {"required": False, "source": "custom_fields", "type": row["type"]}
    if row.get("max_size"):
        made["len"] = row["max_size"]
    if row["type"] == "decimal":
        made["precision"] = row["ext1"] or "8"
    return made


def _field_name(row: dict[str, Any]) -> str:
    """DynamicField::getDBName: a name that doesn't end in `_c` does then."""
    name = str(row["name"])
    return name if name.endswith("_c") else f"{name}_c"


def _add(entry: dict[str, Any], name: str, field: dict[str, Any]) -> None:
    kind = field["type"]
    if kind not in _KNOWN:
        raise ValueError(f"{name}: the type {kind} isn't played")
    entry["fields"][name] = {**field, "dbType": "varchar" if kind in _TEXTS else kind}
    entry["attributes"].setdefault(name, str(field.get("default") or ""))
